build/bin/bench-obj/mmu-bench.o: src/mmu-bench.c src/bench.h \
 ../tests/lib/mmu.h ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
