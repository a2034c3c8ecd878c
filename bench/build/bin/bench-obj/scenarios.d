build/bin/bench-obj/scenarios.o: src/scenarios.c src/bench.h \
 ../tests/lib/mmu.h ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
