// SPDX-License-Identifier: BSD-2-Clause
/*
 * redis-load PORT BEFORE AFTER CLIENTS RATE KEYS BYTES SEED FILE: half SET, half GET of "key:N", as
 * many a second as RATE says, for BEFORE seconds, over a BGSAVE, and for AFTER seconds behind that.
 * Every latency is kept: FILE gets two 64-bit numbers for each request, when it was due since the
 * start and how long after that its answer was there. Said is when the save began and had ended.
 * All in nanoseconds.
 *
 * Requests are due at their times whether or not others have been answered (open loop): what a
 * server that stands still does to clients is in the figures, and not only to the one that waits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000ull
#define CLIENTS_MAX 64
#define REQUEST_MAX (64 * 1024)
/* Asked and not answered, by one client. A server that is that far behind is too slow for RATE. */
#define WAITING_MAX 65536

struct client {
	int fd;
	uint64_t due[WAITING_MAX];
	uint64_t asked, answered;
	/* Of a reply: what is left of a bulk string with its end, or a line that has begun. */
	uint64_t bulk_left;
	char line[32];
	size_t line_length;
};

struct load {
	uint16_t port;
	uint64_t start, before, after, rate, keys, bytes, random;
	uint64_t saved_from, saved_to;	/* 0: not yet */
	struct client *clients;
	unsigned int count;
	FILE *file;
	uint64_t requests;
	char value[REQUEST_MAX / 2];
};

static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("redis-load: ", stderr);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS + time.tv_nsec;
}

/* xorshift64: the same requests for the same seed. */
static uint64_t next_random(struct load *load)
{
	load->random ^= load->random << 13;
	load->random ^= load->random >> 7;
	load->random ^= load->random << 17;
	return load->random;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("port %u: %s", port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* On a connection of its own, each answer of which fits in what is received at once. */
static const char *say(int fd, const char *words, char *answer, size_t size)
{
	ssize_t got;

	if (send(fd, words, strlen(words), MSG_NOSIGNAL) < 0)
		die("the server has gone: %s", strerror(errno));
	got = recv(fd, answer, size - 1, 0);
	if (got <= 0)
		die("the server has gone: %s", got ? strerror(errno) : "end of file");
	answer[got] = '\0';
	if (answer[0] == '-')
		die("the server said %s", answer);
	return answer;
}

static void *save(void *arg)
{
	struct load *load = arg;
	struct timespec step = { 0, NS / 100 };
	int fd = connect_to(load->port);
	char answer[8192];

	sleep(load->before);
	load->saved_from = now();
	say(fd, "BGSAVE\r\n", answer, sizeof(answer));
	do {
		nanosleep(&step, NULL);
		say(fd, "INFO persistence\r\n", answer, sizeof(answer));
	} while (!strstr(answer, "rdb_bgsave_in_progress:0"));
	if (!strstr(answer, "rdb_last_bgsave_status:ok"))
		die("the save has failed");
	__atomic_store_n(&load->saved_to, now(), __ATOMIC_RELEASE);
	close(fd);
	return NULL;
}

/* When no request is due any more. */
static uint64_t end_of(struct load *load)
{
	uint64_t saved_to = __atomic_load_n(&load->saved_to, __ATOMIC_ACQUIRE);

	return saved_to ? saved_to + load->after * NS : UINT64_MAX;
}

static void ask(struct load *load, struct client *client, uint64_t due)
{
	uint64_t random = next_random(load), key = (random >> 1) % load->keys;
	char request[REQUEST_MAX], name[32];
	size_t length, done = 0;
	int name_length = snprintf(name, sizeof(name), "key:%lu", (unsigned long)key);

	if (client->asked - client->answered == WAITING_MAX)
		die("%d requests of a client wait: RATE is too high", WAITING_MAX);
	client->due[client->asked++ % WAITING_MAX] = due;
	if (random & 1)
		length = sprintf(request, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", name_length, name);
	else
		length = sprintf(request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%lu\r\n%.*s\r\n",
				 name_length, name, (unsigned long)load->bytes, (int)load->bytes,
				 load->value);
	while (done < length) {
		ssize_t sent = send(client->fd, request + done, length - done, MSG_NOSIGNAL);

		if (sent < 0)
			die("the server has gone: %s", strerror(errno));
		done += sent;
	}
}

static void answered(struct load *load, struct client *client)
{
	uint64_t due = client->due[client->answered++ % WAITING_MAX];
	uint64_t record[2] = { due - load->start, now() - due };

	if (fwrite(record, sizeof(record), 1, load->file) != 1)
		die("the file: %s", strerror(errno));
	load->requests++;
}

/* A line is whole: a status, an error, or how long the string behind it is. */
static void take_line(struct load *load, struct client *client)
{
	client->line[client->line_length] = '\0';
	client->line_length = 0;
	if (client->line[0] == '-')
		die("the server said %s", client->line);
	if (client->line[0] == '$' && client->line[1] != '-')
		client->bulk_left = strtoull(client->line + 1, NULL, 10) + 2;
	else
		answered(load, client);
}

static void take(struct load *load, struct client *client)
{
	static char buffer[1 << 18];
	ssize_t got = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (got <= 0)
		die("the server has gone: %s", got ? strerror(errno) : "end of file");
	for (ssize_t i = 0; i < got;) {
		if (client->bulk_left) {
			uint64_t step = client->bulk_left;

			if (step > (uint64_t)(got - i))
				step = got - i;
			i += step;
			client->bulk_left -= step;
			if (!client->bulk_left)
				answered(load, client);
		} else if (buffer[i] == '\n') {
			take_line(load, client);
			i++;
		} else {
			if (client->line_length + 1 < sizeof(client->line))
				client->line[client->line_length++] = buffer[i];
			i++;
		}
	}
}

static bool all_answered(const struct load *load)
{
	for (unsigned int i = 0; i < load->count; i++) {
		if (load->clients[i].asked != load->clients[i].answered)
			return false;
	}
	return true;
}

static void run(struct load *load)
{
	int epoll = epoll_create1(0);
	uint64_t asked = 0;

	for (unsigned int i = 0; i < load->count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		epoll_ctl(epoll, EPOLL_CTL_ADD, load->clients[i].fd, &event);
	}
	for (;;) {
		struct epoll_event events[CLIENTS_MAX];
		uint64_t due = load->start + asked * NS / load->rate, time = now();
		struct timespec wait = { 0, NS / 100 };
		int count;

		for (; due <= time && due < end_of(load);
		     due = load->start + asked * NS / load->rate)
			ask(load, &load->clients[asked++ % load->count], due);
		if (due >= end_of(load) && all_answered(load))
			break;
		if (due > time && due - time < NS / 100)
			wait.tv_nsec = due - time;
		count = epoll_pwait2(epoll, events, CLIENTS_MAX, &wait, NULL);
		for (int i = 0; i < count; i++)
			take(load, &load->clients[events[i].data.u32]);
	}
	close(epoll);
}

static void set_up(struct load *load, char **argv)
{
	load->port = atoi(argv[1]);
	load->before = strtoull(argv[2], NULL, 10);
	load->after = strtoull(argv[3], NULL, 10);
	load->count = atoi(argv[4]);
	load->rate = strtoull(argv[5], NULL, 10);
	load->keys = strtoull(argv[6], NULL, 10);
	load->bytes = strtoull(argv[7], NULL, 10);
	load->random = strtoull(argv[8], NULL, 10) * 2 + 1;
	if (!load->count || load->count > CLIENTS_MAX || !load->rate || !load->keys ||
	    load->bytes > sizeof(load->value))
		die("CLIENTS, RATE, KEYS or BYTES is out of range");
	load->file = fopen(argv[9], "w");
	load->clients = calloc(load->count, sizeof(struct client));
	if (!load->file || !load->clients)
		die("%s: %s", argv[9], strerror(errno));
	memset(load->value, 'v', sizeof(load->value));
	for (unsigned int i = 0; i < load->count; i++)
		load->clients[i].fd = connect_to(load->port);
}

int main(int argc, char **argv)
{
	static struct load load;
	pthread_t saver;

	if (argc != 10)
		die("wants PORT BEFORE AFTER CLIENTS RATE KEYS BYTES SEED FILE");
	set_up(&load, argv);
	load.start = now();
	if (pthread_create(&saver, NULL, save, &load) != 0)
		die("no thread");
	run(&load);
	pthread_join(saver, NULL);
	if (fclose(load.file) != 0)
		die("%s: %s", argv[9], strerror(errno));
	printf("redis-load: %lu requests, saved from %lu to %lu\n", (unsigned long)load.requests,
	       (unsigned long)(load.saved_from - load.start),
	       (unsigned long)(load.saved_to - load.start));
	return 0;
}
