// SPDX-License-Identifier: BSD-2-Clause
/*
 * torture SEED SECONDS CGROUP: needs root, 4 free huge pages in the pool, somewhere to swap to and
 * a memory cgroup to put itself into. Prints how often each operation was done and what it led to;
 * the last line is "torture: ok". The seed decides what is done; when the threads meet is up to the
 * machine.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "../device.h"
#include "torture.h"

/* xorshift64 */
uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t number_after(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256], found[256];
	uint64_t number = 0, value;

	check(file, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		if (!*name)
			sscanf(line, "%lu", &number);
		else if (sscanf(line, "%255s %lu", found, &value) == 2 && strcmp(found, name) == 0)
			number = value;
	}
	fclose(file);
	return number;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Each at least once, however slow the machine; then as drawn. */
static struct operation *draw(struct torture *torture)
{
	unsigned int first = next_random(&torture->random) % operation_count;

	for (unsigned int i = 0; i < operation_count; i++) {
		struct operation *operation = &operations[(first + i) % operation_count];

		if (operation->count == 0)
			return operation;
	}
	return &operations[first];
}

static void one_operation(struct torture *torture)
{
	struct operation *operation = draw(torture);
	enum kind kind = next_random(&torture->random) % KINDS;

	while (operation->kinds && !(operation->kinds & IN(kind)))
		kind = (kind + 1) % KINDS;
	operation->run(torture, &torture->region[kind]);
	operation->count++;
}

static void report(const struct worker *workers, uint64_t merged)
{
	struct dune_stats stats = device_stats();

	for (unsigned int i = 0; i < operation_count; i++)
		printf("%s: %lu\n", operations[i].name, operations[i].count);
	printf("merged: %lu\n", merged);
	printf("swapped-out: %lu\n", number_after("/proc/vmstat", "pswpout"));
	printf("migrated: %lu\n", number_after("/proc/vmstat", "pgmigrate_success"));
	printf("reads: %lu\nwrites: %lu\nfound-dropped: %lu\n",
	       workers[0].reads + workers[1].reads, workers[0].writes + workers[1].writes,
	       workers[0].zeroes + workers[1].zeroes);
	printf("leaves-4k: %llu\nleaves-2m: %llu\ninvalidations: %llu\nretries: %llu\n"
	       "zapped: %llu\ncollapsed: %llu\ndirtied: %llu\naged: %llu\nreclaimed: %llu\n",
	       stats.leaves[0], stats.leaves[1], stats.invalidations, stats.retries, stats.zapped,
	       stats.collapsed, stats.dirtied, stats.aged, stats.reclaimed);
}

int main(int argc, char **argv)
{
	static struct torture torture;
	struct worker workers[WORKERS] = { 0 };
	pthread_t thread[WORKERS];
	uint64_t merged = 0;
	double end;

	check(argc == 4, "usage: torture SEED SECONDS CGROUP");
	setvbuf(stdout, NULL, _IOLBF, 0);
	torture.random = strtoull(argv[1], NULL, 0) * 2 + 1;
	regions_create(&torture);
	operations_setup(&torture, argv[3]);
	check_ok(dbos_init());
	for (unsigned int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.torture = &torture, .id = i, .random = next_random(&torture.random)
		};
		check(pthread_create(&thread[i], NULL, worker_run, &workers[i]) == 0,
		      "pthread_create");
	}
	/*
	 * Some operations leave a hole for a while and then map over it again. What a thread maps
	 * to enter (its stack, its run page) would go into the hole, and be mapped over as well.
	 */
	while (__atomic_load_n(&torture.entered, __ATOMIC_ACQUIRE) < WORKERS)
		usleep(1000);
	end = now() + atof(argv[2]);
	while (now() < end) {
		uint64_t sharing = number_after("/sys/kernel/mm/ksm/pages_sharing", "");

		merged = sharing > merged ? sharing : merged;
		one_operation(&torture);
	}
	torture.stop = true;
	for (unsigned int i = 0; i < WORKERS; i++)
		check(pthread_join(thread[i], NULL) == 0, "pthread_join");
	report(workers, merged);
	printf("torture: ok\n");
	return 0;
}
