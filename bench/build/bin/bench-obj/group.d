build/bin/bench-obj/group.o: src/group.c src/bench.h ../tests/lib/mmu.h \
 ../include/my_mmu_uapi.h
src/bench.h:
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
