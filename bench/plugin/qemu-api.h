/* SPDX-License-Identifier: GPL-2.0 */
/*
 * qemu-api.h - what the plugins use of QEMU's interface for them
 *
 * Debian's QEMU loads plugins and has no header for them. These are the
 * declarations of QEMU 9.0 and later, as its documentation ("QEMU TCG
 * Plugins") has them.
 */
#ifndef QEMU_API_H
#define QEMU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_API_VERSION	3
#define PLUGIN_EXPORT		__attribute__((visibility("default")))

struct qemu_info {
	const char *target_name;
	struct {
		int min, cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus, max_vcpus;
	} system;
};

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;

enum { NO_REGISTERS, READS_REGISTERS };
enum { MEMORY_READ = 1, MEMORY_WRITE, MEMORY_BOTH };

/* What an access was, and where it went, while its callback runs */
typedef uint32_t memory_info;
struct qemu_plugin_hwaddr;

struct qemu_register_name {
	struct qemu_plugin_register *handle;
	const char *name;
	const char *feature;
};

/* GLib's arrays, as far as they are public; QEMU brings the library along */
struct g_array {
	char *data;
	unsigned int len;
};

struct g_byte_array {
	uint8_t *data;
	unsigned int len;
};

struct g_byte_array *g_byte_array_new(void);
struct g_byte_array *
g_byte_array_set_size(struct g_byte_array *array, unsigned int length);

typedef void (*vcpu_callback)(uint64_t id, unsigned int vcpu);
typedef void (*executed_callback)(unsigned int vcpu, void *arg);
typedef void (*memory_callback)(unsigned int vcpu, memory_info info,
				uint64_t vaddr, void *arg);
typedef void (*translated_callback)(uint64_t id,
				    struct qemu_plugin_tb *tb);
typedef void (*exit_callback)(uint64_t id, void *arg);

void qemu_plugin_reset(uint64_t id, void (*cb)(uint64_t id));
void qemu_plugin_register_vcpu_init_cb(uint64_t id, vcpu_callback cb);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   translated_callback cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  executed_callback cb, int registers,
					  void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    executed_callback cb, int registers,
					    void *arg);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      memory_callback cb, int registers,
				      int which, void *arg);
bool qemu_plugin_mem_is_store(memory_info info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(memory_info info,
						  uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *addr);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *addr);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_callback cb,
				    void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t n);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t len);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
struct g_array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *handle,
			      struct g_byte_array *to);

#endif /* QEMU_API_H */
