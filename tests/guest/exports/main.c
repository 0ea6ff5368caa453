// SPDX-License-Identifier: BSD-2-Clause
/* exports: snapshots in other processes (S15). Each case prints its name; then "exports: ok". */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exports.h"

static uint64_t word_of(struct dbos_import *import, unsigned long page)
{
	uint64_t value;

	check_ok(dbos_import_read(import, (void *)(BASE + page * PAGE), &value, sizeof(value)));
	return value;
}

/* Every third page was written once more before the cut. */
static uint64_t generation_of(unsigned long page)
{
	return page % 3 ? 1 : 2;
}

static void check_import(struct dbos_import *import)
{
	for (unsigned long i = 0; i < PAGES; i++)
		check(word_of(import, i) == word_in(i, generation_of(i)),
		      "page %lu of the import is %lu", i, word_of(import, i));
}

/* With a snapshot in between, so that pages have moved when they are handed on. */
static struct dbos_export *write_and_export(const struct exporter *self)
{
	struct dbos_export *export;
	struct dbos_snap *before;

	check_ok(dbos_snap_create(dbos_instance(), 0, &before));
	for (unsigned long i = 0; i < PAGES; i++) {
		if (generation_of(i) == 2)
			write_page(i, 2);
	}
	export = export_as_it_is(self);
	check_ok(dbos_snap_release(before));
	return export;
}

static void write_on(uint64_t generation)
{
	struct dbos_snap *snap;

	check_ok(dbos_snap_create(dbos_instance(), 0, &snap));
	for (unsigned long i = 0; i < PAGES; i++)
		write_page(i, generation);
	check_ok(dbos_snap_release(snap));
}

static void check_nothing_is_held(void)
{
	struct dbos_snap_stats stats;

	check_ok(dbos_snap_stats(dbos_instance(), &stats));
	check(stats.created == stats.released && !stats.kept, "%lu made, %lu released, %lu kept",
	      stats.created, stats.released, stats.kept);
}

static void hand_on_and_write(const struct exporter *self, uint64_t shared)
{
	struct dbos_export *export = write_and_export(self);
	struct dbos_export_info info;
	uint64_t generation = 3;

	dbos_export_info(export, &info);
	check(info.shared == shared && info.shared + info.copied == PAGES * PAGE,
	      "%lu bytes shared, %lu copied", info.shared, info.copied);
	do {
		write_on(generation++);
		if (generation == 4)
			tell(self);
	} while (dbos_export_wait(export, 0) == -ETIMEDOUT);
	check_ok(dbos_export_end(export));
	check_nothing_is_held();
}

static void share(const struct exporter *self)
{
	hand_on_and_write(self, PAGES * PAGE);
}

static void copy(const struct exporter *self)
{
	hand_on_and_write(self, 0);
}

static void check_again_and_again(struct dbos_import *import)
{
	for (unsigned int i = 0; i < 10; i++) {
		check_import(import);
		check_ok(dbos_import_check(import));
	}
}

/* Some of it is certain to be read behind a write, wherever the processors are meanwhile. */
static void import_while_it_writes(const char *name, void (*act)(const struct exporter *self),
				   unsigned int flags)
{
	struct exporter exporter = start_exporter(act, flags);
	struct dbos_import *import;
	size_t length;
	void *at;

	check_ok(dbos_snap_import(exporter.socket, &import));
	check_again_and_again(import);
	wait_until_told(&exporter);
	check_again_and_again(import);
	at = (void *)dbos_import_find(import, (void *)(BASE + 5), &length);
	check(at && length >= PAGE - 5, "%zu bytes at %p", length, at);
	check(mprotect((void *)((uintptr_t)at & -PAGE), PAGE, PROT_READ | PROT_WRITE) < 0 &&
	      errno == EACCES, "an importer may write");
	check(dbos_import_read(import, (void *)(BASE + PAGES * PAGE - 4), &at, 8) == -EFAULT &&
	      !dbos_import_find(import, (void *)(BASE - 1), &length), "more than the member");
	dbos_import_end(import);
	end_exporter(&exporter, false);
	printf("%s: ok\n", name);
}

/* The importer is a third process, killed when it has the import. */
static void wait_for_a_dead_importer(const struct exporter *self)
{
	struct dbos_export *export = write_and_export(self);

	wait_until_told(self);
	check(dbos_export_wait(export, 0) == -ETIMEDOUT, "the importer is done already");
	tell(self);
	check_ok(dbos_export_wait(export, SOON * 1000));
	check_ok(dbos_export_end(export));
	check_nothing_is_held();
}

static void the_importer_is_killed(void)
{
	struct exporter exporter = start_exporter(wait_for_a_dead_importer, DBOS_REGION_SHARED);
	struct dbos_import *import;
	pid_t importer = fork();

	check(importer >= 0, "fork");
	if (importer == 0) {
		check_ok(dbos_snap_import(exporter.socket, &import));
		check_import(import);
		tell(&exporter);
		for (;;)
			pause();
	}
	wait_until_told(&exporter);
	close(exporter.socket);
	exporter.socket = -1;
	check(kill(importer, SIGKILL) == 0, "kill");
	check(waitpid(importer, NULL, 0) == importer, "waitpid");
	end_exporter(&exporter, false);
	printf("importer: ok\n");
}

static void write_for_ever(const struct exporter *self)
{
	write_and_export(self);
	for (uint64_t generation = 3;; generation++)
		write_on(generation);
}

static void the_exporter_is_killed(void)
{
	struct exporter exporter = start_exporter(write_for_ever, DBOS_REGION_SHARED);
	time_t until = time(NULL) + SOON;
	struct dbos_import *import;

	check_ok(dbos_snap_import(exporter.socket, &import));
	check_import(import);
	check(kill(exporter.pid, SIGKILL) == 0, "kill");
	while (!dbos_import_check(import))
		check(time(NULL) < until, "it is not seen that the exporter is gone");
	check(dbos_import_check(import) == -EOWNERDEAD, "another error");
	check_import(import);
	dbos_import_end(import);
	end_exporter(&exporter, true);
	printf("exporter: ok\n");
}

static void take_back(const struct exporter *self)
{
	struct dbos_export *export = write_and_export(self);

	wait_until_told(self);
	check_ok(dbos_export_end(export));
	write_on(3);
	write_on(4);
	tell(self);
	wait_until_told(self);
}

static void what_is_taken_back_is_stale(void)
{
	struct exporter exporter = start_exporter(take_back, DBOS_REGION_SHARED);
	struct dbos_import *import;
	uint64_t value;

	check_ok(dbos_snap_import(exporter.socket, &import));
	check_import(import);
	tell(&exporter);
	wait_until_told(&exporter);
	check(dbos_import_read(import, (void *)BASE, &value, 8) == -ESTALE, "it is read yet");
	check(dbos_import_check(import) == -ESTALE, "nothing says that it is stale");
	dbos_import_end(import);
	tell(&exporter);
	end_exporter(&exporter, false);
	printf("stale: ok\n");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	alarm(100);
	import_while_it_writes("shared", share, DBOS_REGION_SHARED);
	import_while_it_writes("copied", copy, 0);
	the_importer_is_killed();
	the_exporter_is_killed();
	what_is_taken_back_is_stale();
	what_is_no_export_is_refused();
	printf("exports: ok\n");
	return 0;
}
