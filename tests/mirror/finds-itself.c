// SPDX-License-Identifier: GPL-2.0
/*
 * finds-itself.c - a program that finds what it needs beside itself
 *
 * One library is found by the loader ($ORIGIN), another is loaded when the
 * program runs, and a file is read. Compiled with -DSAYS=word, this is a
 * library that says the word.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT(word)	TEXT_(word)
#define TEXT_(word)	#word

const char *says(void);

#ifdef SAYS
const char *says(void)
{
	return TEXT(SAYS);
}
#else
/* A path beside bin/, where this program is. */
static const char *beside(const char *name)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) / 2);
	char *end;

	path[n < 0 ? 0 : n] = '\0';
	end = strstr(path, "/bin/");
	if (end)
		snprintf(end, sizeof(path) / 2, "/%s", name);
	return path;
}

static const char *plugin_says(void)
{
	void *plugin = dlopen(beside("lib/plugin.so"), RTLD_NOW | RTLD_LOCAL);
	const char *(*its)(void) = plugin ? dlsym(plugin, "says") : NULL;

	return its ? its() : dlerror();
}

int main(void)
{
	FILE *f = fopen(beside("share/word"), "r");
	char word[16] = "nothing";

	if (f && fscanf(f, "%15s", word) == 1)
		fclose(f);
	usleep(500000);		/* for the mirror */
	printf("%s, %s, %s\n", says(), plugin_says(), word);
	return 0;
}
#endif
