// SPDX-License-Identifier: BSD-2-Clause
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "command/program.h"
#include "preload/run.h"

/* Scripts whose interpreter is a script, as deep as the kernel goes. */
#define INTERPRETERS 4

#define SAY(program, ...) snprintf((program)->why, sizeof((program)->why), __VA_ARGS__)

static int refuse(struct program *program, int status, const char *path, const char *what)
{
	SAY(program, "%s %s", path, what);
	return status;
}

static bool is_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
		return false;
	}
	return access(path, X_OK) == 0;
}

/* The first of PATH; if none may be executed, errno tells of one that is there. */
static bool search(const char *name, char path[PATH_MAX])
{
	const char *from = getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin";
	int error = ENOENT;

	for (const char *end; *from; from = *end ? end + 1 : end) {
		end = strchrnul(from, ':');
		snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - from), from,
			 end > from ? "/" : "", name);
		if (is_executable(path))
			return true;
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	errno = error;
	return false;
}

/* For whom the kernel starts it in secure mode, in which a preloaded library is ignored. */
static bool gains_rights(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return true;
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid())
		return true;
	return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static bool has_interpreter(int fd, const Elf64_Ehdr *header)
{
	Elf64_Phdr segment;

	for (int i = 0; i < header->e_phnum; i++) {
		off_t at = header->e_phoff + i * sizeof(segment);

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return false;
		if (segment.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static int check_elf(int fd, const char *path, struct program *program)
{
	const int status = DBOS_RUN_NOT_PRELOADABLE;
	Elf64_Ehdr header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(program, DBOS_RUN_NOT_EXECUTABLE, path, "is not a program");
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
		return refuse(program, status, path, "is not a program for x86-64");
	if (!has_interpreter(fd, &header))
		return refuse(program, status, path,
			      "is linked statically, so nothing can be preloaded into it; link it "
			      "with libdbos and call dbos_init() and dbos_enter() instead");
	if (gains_rights(fd))
		return refuse(program, status, path,
			      "is setuid, setgid or has capabilities, so what is preloaded would "
			      "be ignored");
	return 0;
}

/* Of a script the interpreter, as the kernel reads it from the first line; else "". */
static void read_interpreter(int fd, char interpreter[PATH_MAX])
{
	char line[256] = "";
	ssize_t length = pread(fd, line, sizeof(line) - 1, 0);

	interpreter[0] = '\0';
	if (length > 2 && line[0] == '#' && line[1] == '!')
		sscanf(line + 2, " %255s", interpreter);
}

static int check_file(struct program *program)
{
	char path[PATH_MAX], interpreter[PATH_MAX];
	int fd, ret;

	strcpy(path, program->path);
	for (int depth = 0; depth <= INTERPRETERS; depth++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* One may execute what one may not read: the kernel will tell. */
		if (fd < 0 && errno == EACCES && access(path, X_OK) == 0)
			return 0;
		if (fd < 0) {
			SAY(program, "%s: %s", path, strerror(errno));
			return DBOS_RUN_NOT_FOUND;
		}
		read_interpreter(fd, interpreter);
		ret = interpreter[0] ? 0 : check_elf(fd, path, program);
		close(fd);
		if (ret || !interpreter[0])
			return ret;
		strcpy(path, interpreter);
	}
	SAY(program, "%s: %s", program->path, strerror(ELOOP));
	return DBOS_RUN_NOT_EXECUTABLE;
}

int program_find(const char *name, struct program *program)
{
	bool found;

	if (strlen(name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		found = false;
	} else if (strchr(name, '/')) {
		strcpy(program->path, name);
		found = is_executable(name);
	} else {
		found = search(name, program->path);
	}
	if (found)
		return check_file(program);
	SAY(program, "%s: %s", name, strerror(errno));
	return errno == ENOENT || errno == ENOTDIR ? DBOS_RUN_NOT_FOUND : DBOS_RUN_NOT_EXECUTABLE;
}
