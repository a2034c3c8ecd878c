build/bin/bench-obj/worker.o: src/worker.c src/bench.h ../tests/lib/mmu.h \
 ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
