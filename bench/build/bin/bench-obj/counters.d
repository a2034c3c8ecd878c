build/bin/bench-obj/counters.o: src/counters.c src/bench.h \
 ../tests/lib/mmu.h ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
