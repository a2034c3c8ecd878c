build/bin/bench-obj/sample.o: src/sample.c src/bench.h ../tests/lib/mmu.h \
 ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
