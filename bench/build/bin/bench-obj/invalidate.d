build/bin/bench-obj/invalidate.o: src/invalidate.c src/bench.h \
 ../tests/lib/mmu.h ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
