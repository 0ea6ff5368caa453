// SPDX-License-Identifier: BSD-2-Clause
/*
 * The three pools, each with the same trees in it. Page 1, the first that a new store gives, is the
 * catalogue: the roots of all tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "store/store.h"

#define CATALOGUE DBOS_POOL_FIRST
#define MAGIC	  0x6261742d65657274ull
#define FILES_MAX 16

struct catalogue {
	uint64_t magic;
	uint64_t root[STORE_TABLES];
};

struct pool_store {
	struct store store;
	struct dbos_pool *pool;
	struct tree tree[STORE_TABLES];
	int fd[FILES_MAX];
	unsigned int file_count;
};

struct pool_session {
	struct session session;
	struct cursor cursor;
};

static struct pool_store *pool_of(struct store *store)
{
	return (struct pool_store *)store;
}

static struct tree *tree_of(struct session *session, unsigned int table)
{
	return &pool_of(session->store)->tree[table];
}

static void close_files(struct pool_store *store)
{
	while (store->file_count)
		close(store->fd[--store->file_count]);
}

/* Not every file system has O_DIRECT; what was had is reported. */
static int open_files(struct pool_store *store, const struct store_config *config)
{
	int flags = O_RDWR | O_CLOEXEC | (config->create ? O_CREAT : 0);

	if (!config->file_count || config->file_count > FILES_MAX)
		return -EINVAL;
	store->store.direct = true;
	while (store->file_count < config->file_count) {
		const char *name = config->files[store->file_count];
		int fd = open(name, flags | O_DIRECT, 0600);

		if (fd < 0 && errno == EINVAL) {
			store->store.direct = false;
			fd = open(name, flags, 0600);
		}
		if (fd < 0) {
			int err = -errno;

			close_files(store);
			return err;
		}
		store->fd[store->file_count++] = fd;
	}
	return 0;
}

static int create_tables(struct pool_store *store)
{
	struct dbos_pin pin;
	struct catalogue catalogue = { .magic = MAGIC };
	int err = dbos_pool_new(store->pool, &pin);

	if (err)
		return err;
	if (pin.page != CATALOGUE)
		err = -EILSEQ;
	for (unsigned int i = 0; !err && i < STORE_TABLES; i++) {
		err = tree_create(store->pool, &store->tree[i]);
		catalogue.root[i] = store->tree[i].root;
	}
	memcpy(pin.content, &catalogue, sizeof(catalogue));
	dbos_pool_unpin(store->pool, &pin, true);
	return err;
}

static int open_tables(struct pool_store *store)
{
	const struct catalogue *catalogue;
	struct dbos_pin pin;
	int err = dbos_pool_pin_shared(store->pool, CATALOGUE, &pin);

	if (err)
		return err;
	catalogue = pin.content;
	if (catalogue->magic != MAGIC)
		err = -EILSEQ;
	for (unsigned int i = 0; !err && i < STORE_TABLES; i++)
		store->tree[i] = (struct tree){ store->pool, catalogue->root[i] };
	dbos_pool_unpin_shared(store->pool, &pin);
	return err;
}

static int open_pool(const struct store_config *config, enum dbos_pool_kind kind,
		     struct pool_store *store)
{
	struct dbos_pool_config pool = {
		.kind = kind, .dbos = dbos_instance(), .pages = config->pages,
		.frames = config->frames, .batch = config->batch,
		.flags = (config->create ? DBOS_POOL_FORMAT : 0) |
			 (config->checksums ? 0 : DBOS_POOL_NO_CHECKSUMS) |
			 (config->ring ? 0 : DBOS_POOL_NO_RING),
		.files = store->fd,
	};
	int err = open_files(store, config);

	if (err)
		return err;
	pool.file_count = store->file_count;
	err = dbos_pool_open(&pool, &store->pool);
	if (err) {
		close_files(store);
		return err;
	}
	err = config->create ? create_tables(store) : open_tables(store);
	if (err) {
		dbos_pool_abandon(store->pool);
		close_files(store);
	}
	return err;
}

static int open_kind(const struct store_config *config, const struct store_engine *engine,
		     enum dbos_pool_kind kind, struct store **to)
{
	struct pool_store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	store->store.engine = engine;
	err = open_pool(config, kind, store);
	if (err)
		free(store);
	else
		*to = &store->store;
	return err;
}

static int open_mmu(const struct store_config *config, struct store **store)
{
	return open_kind(config, &store_mmu, DBOS_POOL_MMU, store);
}

static int open_hash(const struct store_config *config, struct store **store)
{
	return open_kind(config, &store_hash, DBOS_POOL_HASH, store);
}

static int open_madvise(const struct store_config *config, struct store **store)
{
	return open_kind(config, &store_madvise, DBOS_POOL_MADVISE, store);
}

static int close_store(struct store *to)
{
	struct pool_store *store = pool_of(to);
	int err = dbos_pool_close(store->pool);

	if (err)
		return err;
	close_files(store);
	free(store);
	return 0;
}

static int enter(struct store *store, struct session **to)
{
	struct pool_session *session = aligned_alloc(alignof(struct pool_session),
						     sizeof(struct pool_session));

	if (!session)
		return -ENOMEM;
	session->session.store = store;
	*to = &session->session;
	return 0;
}

static void leave(struct session *session)
{
	free(session);
}

static int begin(struct session *session, bool writes)
{
	(void)session;
	(void)writes;
	return 0;
}

static int commit(struct session *session)
{
	(void)session;
	return 0;
}

static int insert(struct session *session, unsigned int table, struct key key, const void *value,
		  size_t size)
{
	return tree_insert(tree_of(session, table), key, value, size);
}

static int lookup(struct session *session, unsigned int table, struct key key, void *value,
		  size_t size)
{
	return tree_lookup(tree_of(session, table), key, value, size);
}

static void copy_value(void *value, void *to, size_t size)
{
	memcpy(to, value, size);
}

static int replace(struct session *session, unsigned int table, struct key key, const void *value,
		   size_t size)
{
	(void)size;
	return tree_update(tree_of(session, table), key, copy_value, (void *)value);
}

static int change(struct session *session, unsigned int table, struct key key,
		  tree_change_fn change_value, void *arg)
{
	return tree_update(tree_of(session, table), key, change_value, arg);
}

static int remove_key(struct session *session, unsigned int table, struct key key)
{
	return tree_remove(tree_of(session, table), key);
}

static int scan(struct session *session, unsigned int table, struct key key, bool down,
		store_visit_fn visit, void *arg)
{
	struct cursor *cursor = &((struct pool_session *)session)->cursor;
	int err = (down ? cursor_seek_back : cursor_seek)(cursor, tree_of(session, table), key);

	while (!err) {
		size_t size;
		const void *value = cursor_value(cursor, &size);

		if (!visit(arg, cursor_key(cursor), value, size))
			return 0;
		err = (down ? cursor_previous : cursor_next)(cursor);
	}
	return err == -ENOENT ? 0 : err;
}

static int read_page(struct session *session, uint64_t page, uint64_t at)
{
	struct dbos_pool *pool = pool_of(session->store)->pool;
	struct dbos_pool_read read;
	int err;

	do {
		const uint64_t *word;

		err = dbos_pool_read(pool, page, &read);
		if (err)
			return err;
		word = (const uint64_t *)read.content + at % (DBOS_POOL_CONTENT / sizeof(*word));
		__atomic_load_n(word, __ATOMIC_RELAXED);
	} while (!dbos_pool_valid(pool, &read));
	return 0;
}

static void stats(struct store *store, struct store_stats *to)
{
	to->known = true;
	dbos_pool_stats(pool_of(store)->pool, &to->pool);
}

#define POOL_ENGINE(kind)                                                                          \
	const struct store_engine store_##kind = {                                                 \
		.name = #kind, .open = open_##kind, .close = close_store,                          \
		.enter = enter, .leave = leave, .begin = begin, .commit = commit,                  \
		.insert = insert, .lookup = lookup, .replace = replace, .change = change,          \
		.remove = remove_key, .scan = scan, .read_page = read_page, .stats = stats,        \
	}

POOL_ENGINE(mmu);
POOL_ENGINE(hash);
POOL_ENGINE(madvise);
