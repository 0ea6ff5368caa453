// SPDX-License-Identifier: BSD-2-Clause
/*
 * fork_bomb [GENERATIONS]: every process forks once per generation, so there are two to the power
 * of GENERATIONS. None ends before those it forked, so half of them are there at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int generations = argc > 1 ? atoi(argv[1]) : 8;
	int failed = 0;
	int status;

	for (int i = 0; i < generations; i++) {
		if (fork() < 0) {
			perror("fork");
			failed = 1;
		}
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
