build/bin/bench-obj/util.o: src/util.c src/bench.h ../tests/lib/mmu.h \
 ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
