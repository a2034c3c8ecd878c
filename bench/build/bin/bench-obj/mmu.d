build/bin/bench-obj/mmu.o: ../tests/lib/mmu.c ../tests/lib/mmu.h \
 ../include/my_mmu_uapi.h
../tests/lib/mmu.h:
../include/my_mmu_uapi.h:
