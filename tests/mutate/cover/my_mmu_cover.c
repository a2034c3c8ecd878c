// SPDX-License-Identifier: GPL-2.0
/*
 * Which code did a test run?
 *
 * With -fsanitize-coverage=trace-pc the compiler begins each basic block with
 * a call of __sanitizer_cov_trace_pc(), which a stock kernel does not have.
 * This one notes the address it was called from.
 *
 *	echo > /sys/kernel/debug/my_mmu_cover	forget all
 *	cat /sys/kernel/debug/my_mmu_cover	symbol+offset, one a line
 *
 * Part of the copies that tests/mutate/touch.py builds, and of nothing else.
 */
#include <linux/debugfs.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#define SLOT_BITS	16
#define SLOTS		BIT(SLOT_BITS)

#define __uncovered	notrace __attribute__((__no_sanitize_coverage__))

static unsigned long seen[SLOTS];
static struct dentry *file;

void __sanitizer_cov_trace_pc(void);

void __uncovered __sanitizer_cov_trace_pc(void)
{
	unsigned long ip = _RET_IP_, was;
	unsigned int i = hash_long(ip, SLOT_BITS);

	while ((was = READ_ONCE(seen[i])) != ip) {
		if (!was && !cmpxchg(&seen[i], 0, ip))
			return;
		if (was)
			i = (i + 1) % SLOTS;
	}
}
EXPORT_SYMBOL(__sanitizer_cov_trace_pc);

static int __uncovered cover_show(struct seq_file *s, void *unused)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (seen[i])
			seq_printf(s, "%pS\n", (void *)seen[i]);
	return 0;
}

static int __uncovered cover_open(struct inode *inode, struct file *file)
{
	return single_open(file, cover_show, NULL);
}

static ssize_t __uncovered cover_write(struct file *file,
				       const char __user *buf, size_t len,
				       loff_t *pos)
{
	memset(seen, 0, sizeof(seen));
	return len;
}

static const struct file_operations cover_fops = {
	.owner		= THIS_MODULE,
	.open		= cover_open,
	.read		= seq_read,
	.write		= cover_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init __uncovered cover_init(void)
{
	file = debugfs_create_file("my_mmu_cover", 0644, NULL, NULL,
				   &cover_fops);
	return 0;
}

static void __exit __uncovered cover_exit(void)
{
	debugfs_remove(file);
}

module_init(cover_init);
module_exit(cover_exit);

MODULE_DESCRIPTION("Notes which code has been run");
MODULE_LICENSE("GPL");
