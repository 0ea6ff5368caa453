/* SPDX-License-Identifier: BSD-2-Clause */
/* How guest programs say that something is wrong: a line on stderr with the place, and status 1. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define check(condition, ...)                                                   \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);         \
			fprintf(stderr, __VA_ARGS__);                           \
			fputc('\n', stderr);                                    \
			exit(1);                                                \
		}                                                               \
	} while (0)

/* For the calls of libdbos, which return -errno. */
#define check_ok(call)                                                          \
	do {                                                                    \
		int check_ret = (call);                                         \
		check(check_ret >= 0, "%s: %s", #call, strerror(-check_ret));   \
	} while (0)

#endif /* CHECK_H */
