build/bin/bench-obj/populate.o: src/populate.c src/bench.h \
 ../tests/lib/mmu.h ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
