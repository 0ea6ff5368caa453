// SPDX-License-Identifier: BSD-2-Clause
/*
 * The lab's hand in a guest that is saved and restored. It sits on the second serial port, does
 * what only the guest itself can do, and proves that a restored guest is the one that was saved.
 *
 * A request is one line, so is its answer, which begins with the request's first two words; the
 * lab makes up the second, so that no answer from before a restore passes for one from after it.
 *
 *	save TOKEN		Wait until nobody is logged in, set the canaries to TOKEN, use 0.
 *				-> save TOKEN ok		The guest may be saved now.
 *	wake NONCE TIME SEED	After a restore: set the clock to TIME (seconds.nanoseconds), stir
 *				SEED (hexadecimal) into the random numbers, look at the canaries,
 *				then count them up, so that they differ unless restored again.
 *				-> wake NONCE MEMORY USES DISK USES TIME
 *
 * The canary in memory is 64 pages, each with a pattern of its own; the one on the disk is
 * its first block, read and written past the page cache. An answer "wake NONCE error WHAT" says
 * what could not be done.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/random.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PORT  "/dev/ttyS1"
#define DISK  "/dev/vda"
#define PAGES 64
#define WORDS (4096 / sizeof(uint64_t))
#define TCP_LISTEN    0x0a
#define TCP_TIME_WAIT 0x06
#define SSH	      22

struct canary {
	uint64_t token;
	uint64_t uses;
};

static uint64_t memory[PAGES][WORDS] __attribute__((aligned(4096)));
static struct canary block[512 / sizeof(struct canary)] __attribute__((aligned(4096)));

static const char *set_disk(struct canary canary)
{
	int disk = open(DISK, O_WRONLY | O_DIRECT | O_DSYNC);
	ssize_t written;

	if (disk < 0)
		return "the scratch disk cannot be opened";
	block[0] = canary;
	written = write(disk, block, sizeof(block));
	close(disk);
	return written == sizeof(block) ? NULL : "the scratch disk cannot be written";
}

static const char *get_disk(struct canary *canary)
{
	int disk = open(DISK, O_RDONLY | O_DIRECT);
	ssize_t got;

	if (disk < 0)
		return "the scratch disk cannot be opened";
	got = read(disk, block, sizeof(block));
	close(disk);
	*canary = block[0];
	return got == sizeof(block) ? NULL : "the scratch disk cannot be read";
}

static uint64_t pattern(uint64_t token, size_t page, size_t word)
{
	return token ^ (page << 16 | word);
}

/* The first word of a page counts the uses, all others carry the token. */
static void set_memory(struct canary canary)
{
	for (size_t page = 0; page < PAGES; page++) {
		memory[page][0] = canary.uses;
		for (size_t word = 1; word < WORDS; word++)
			memory[page][word] = pattern(canary.token, page, word);
	}
}

static const char *get_memory(struct canary *canary)
{
	canary->uses = memory[0][0];
	canary->token = memory[0][1] ^ pattern(0, 0, 1);
	for (size_t page = 0; page < PAGES; page++) {
		if (memory[page][0] != canary->uses)
			return "the canary in memory was restored in part";
		for (size_t word = 1; word < WORDS; word++) {
			if (memory[page][word] != pattern(canary->token, page, word))
				return "the canary in memory is damaged";
		}
	}
	return NULL;
}

/* Tell whether someone has an SSH connection to this guest, by the kernel's table of sockets. */
static int logged_in(const char *table)
{
	FILE *sockets = fopen(table, "re");
	char line[256];
	int found = 0;

	if (!sockets)
		return 0;
	while (fgets(line, sizeof(line), sockets)) {
		unsigned int port, state;

		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &state) == 2 &&
		    port == SSH && state != TCP_LISTEN && state != TCP_TIME_WAIT)
			found = 1;
	}
	fclose(sockets);
	return found;
}

static const char *save(uint64_t token)
{
	const struct timespec moment = { .tv_nsec = 5 * 1000 * 1000 };
	struct canary fresh = { .token = token };

	do /* once more than needed: a session's last process ends after its connection */
		nanosleep(&moment, NULL);
	while (logged_in("/proc/net/tcp") || logged_in("/proc/net/tcp6"));
	nanosleep(&moment, NULL);
	set_memory(fresh);
	sync();
	return set_disk(fresh);
}

/*
 * Every restored guest would go on with the same random numbers. What is written to the pool alone
 * changes nothing until the next reseeding, up to five minutes later.
 */
static const char *stir(const char *seed)
{
	union {
		struct rand_pool_info info;
		uint32_t words[2 + 8];
	} entropy = { .info = { .entropy_count = 8 * 32, .buf_size = 32 } };
	unsigned char *bytes = (unsigned char *)entropy.info.buf;
	int device, failed;

	for (int i = 0; i < entropy.info.buf_size; i++) {
		if (sscanf(seed + 2 * i, "%2hhx", &bytes[i]) != 1)
			return "the seed is too short";
	}
	device = open("/dev/random", O_RDWR);
	if (device < 0)
		return "/dev/random cannot be opened";
	failed = ioctl(device, RNDADDENTROPY, &entropy) || ioctl(device, RNDRESEEDCRNG);
	close(device);
	return failed ? "the random numbers cannot be reseeded" : NULL;
}

static void wake(FILE *port, const char *nonce, struct timespec now, const char *seed)
{
	struct canary in_memory = { 0 }, on_disk = { 0 };
	const char *error = NULL;

	if (clock_settime(CLOCK_REALTIME, &now))
		error = "the clock cannot be set";
	if (!error)
		error = stir(seed);
	if (!error)
		error = get_memory(&in_memory);
	if (!error)
		error = get_disk(&on_disk);
	if (!error) {
		set_memory((struct canary){ in_memory.token, in_memory.uses + 1 });
		error = set_disk((struct canary){ on_disk.token, on_disk.uses + 1 });
	}
	if (error) {
		fprintf(port, "wake %s error %s\n", nonce, error);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(port, "wake %s %016" PRIx64 " %" PRIu64 " %016" PRIx64 " %" PRIu64 " %lld.%09ld\n",
		nonce, in_memory.token, in_memory.uses, on_disk.token, on_disk.uses,
		(long long)now.tv_sec, now.tv_nsec);
}

static void answer(FILE *port, const char *request)
{
	long long seconds;
	long nanoseconds;
	char nonce[33], seed[65];
	uint64_t token;

	if (sscanf(request, "save %16" SCNx64, &token) == 1) {
		const char *error = save(token);

		fprintf(port, "save %016" PRIx64 " %s%s\n", token, error ? "error " : "ok",
			error ? error : "");
	} else if (sscanf(request, "wake %32s %lld.%9ld %64s", nonce, &seconds, &nanoseconds,
			  seed) == 4) {
		wake(port, nonce, (struct timespec){ seconds, nanoseconds }, seed);
	} /* else the rest of a request that a restore cut in two */
	fflush(port);
}

static void fail(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Open the port so that bytes pass through it unchanged, in both directions. */
static FILE *open_port(void)
{
	struct termios raw;
	FILE *port;
	int fd = open(PORT, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &raw))
		fail(PORT);
	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL;
	/* The emulated port hands over a line's last bytes after the time that four would take. */
	cfsetspeed(&raw, B115200);
	if (tcsetattr(fd, TCSANOW, &raw))
		fail(PORT);
	port = fdopen(fd, "r+");
	if (!port)
		fail(PORT);
	return port;
}

int main(void)
{
	FILE *port = open_port(), *score;
	char request[256];

	/* Whoever fills the memory, this is not what has to go. */
	score = fopen("/proc/self/oom_score_adj", "we");
	if (!score || fprintf(score, "-1000") < 0 || fclose(score))
		fail("/proc/self/oom_score_adj");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("mlockall");
	if (daemon(0, 0))
		fail("daemon");
	while (fgets(request, sizeof(request), port))
		answer(port, request);
	return 0;
}
