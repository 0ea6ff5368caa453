/* SPDX-License-Identifier: BSD-2-Clause */
/* Between `dbos run` and what it preloads into the program. */
#ifndef DBOS_RUN_H
#define DBOS_RUN_H

/* The process that must enter, by number: exec keeps it, a child has another one. */
#define DBOS_RUN_VARIABLE "DBOS_RUN"

#define DBOS_RUN_LIBRARY "libdbos-run.so"

/* How `dbos run` ends if it is not the program that does; as env(1), but for the first. */
#define DBOS_RUN_NOT_PRELOADABLE 124	/* static, setuid, of another architecture */
#define DBOS_RUN_NO_HYPERVISOR	 125	/* and all else that is wrong with us */
#define DBOS_RUN_NOT_EXECUTABLE	 126
#define DBOS_RUN_NOT_FOUND	 127

#endif /* DBOS_RUN_H */
