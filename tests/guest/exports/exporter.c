// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exports.h"

static uint64_t (*const pages)[WORDS] = (void *)BASE;

uint64_t word_in(unsigned long page, uint64_t generation)
{
	return (page + 1) * 1000003 + generation;
}

void write_page(unsigned long page, uint64_t generation)
{
	for (unsigned long i = 0; i < WORDS; i += 64)
		pages[page][i] = word_in(page, generation);
}

void tell(const struct exporter *other)
{
	check(write(other->tell, "", 1) == 1, "write: %s", strerror(errno));
}

void wait_until_told(const struct exporter *other)
{
	char byte;

	check(read(other->told, &byte, 1) == 1, "the other process said nothing");
}

struct dbos_export *export_as_it_is(const struct exporter *self)
{
	struct dbos_export *export;
	struct dbos_snap *snap;

	check_ok(dbos_snap_create(dbos_instance(), 0, &snap));
	check_ok(dbos_snap_export(snap, self->socket, &export));
	check_ok(dbos_snap_release(snap));
	return export;
}

static struct dbos_region *region(void *where, unsigned int flags)
{
	struct dbos_region *made;

	check_ok(dbos_region_create(dbos_instance(), where, PAGES * PAGE, PAGES * PAGE,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE | flags, &made));
	return made;
}

/* Memory for copies is of the same kind as the member's. */
static void begin_inside(unsigned int flags)
{
	struct dbos_region *member, *lent;
	struct dbos *dbos;

	check_ok(dbos_init());
	check_ok(dbos_enter());
	dbos = dbos_instance();
	member = region((void *)BASE, flags);
	check_ok(dbos_snap_add(dbos, member));
	check(dbos_snap_lend(dbos, member) == -EEXIST, "a member was lent");
	for (unsigned long i = 0; i < PAGES; i++)
		write_page(i, 1);
	if (!flags)
		return;
	lent = region(NULL, flags);
	check_ok(dbos_snap_lend(dbos, lent));
	check(dbos_snap_lend(dbos, lent) == -EEXIST, "lent twice");
	check(dbos_region_destroy(lent) == -EBUSY, "what is lent was destroyed");
}

struct exporter start_exporter(void (*act)(const struct exporter *self), unsigned int flags)
{
	int sockets[2], there[2], back[2];
	struct exporter exporter;
	pid_t pid;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0, "socketpair");
	check(pipe(there) == 0 && pipe(back) == 0, "pipe");
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid > 0) {
		close(sockets[1]);
		close(there[0]);
		close(back[1]);
		return (struct exporter){ pid, sockets[0], back[0], there[1] };
	}
	close(sockets[0]);
	close(there[1]);
	close(back[0]);
	exporter = (struct exporter){ 0, sockets[1], there[0], back[1] };
	alarm(60);
	begin_inside(flags);
	act(&exporter);
	check_ok(dbos_leave());
	_exit(0);
}

void end_exporter(struct exporter *exporter, bool killed)
{
	int status;

	check(waitpid(exporter->pid, &status, 0) == exporter->pid, "waitpid");
	if (killed)
		check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by %#x",
		      status);
	else
		check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it ended by %#x", status);
	close(exporter->socket);
	close(exporter->told);
	close(exporter->tell);
}
