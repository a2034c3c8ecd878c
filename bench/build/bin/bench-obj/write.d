build/bin/bench-obj/write.o: src/write.c src/bench.h ../tests/lib/mmu.h \
 ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
