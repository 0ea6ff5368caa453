// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects and lists, misused.
 *
 * The slab_* faults work on a cache that asks for all of SLUB's checks itself, so they need no boot
 * argument; the kfence_* faults need a kernel with KFENCE that is switched on.
 */
#include <linux/delay.h>
#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "zoo.h"

#define OBJECT_BYTES 64
#define KFENCE_TRIES 2000

static struct kmem_cache *zoo_cache(const char *name)
{
	slab_flags_t checks =
		SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER;

	return kmem_cache_create(name, OBJECT_BYTES, 0, checks, NULL);
}

/* Only one allocation in a while comes from KFENCE's pool: take the first that does. */
static char *zoo_kfence_object(void)
{
	char *object;
	int i;

	for (i = 0; i < KFENCE_TRIES; i++) {
		object = kmalloc(OBJECT_BYTES, GFP_KERNEL);
		if (!object || is_kfence_address(object))
			return object;
		kfree(object);
		usleep_range(500, 1000);
	}
	return NULL;
}

static noinline void zoo_slab_leak(void)
{
	struct kmem_cache *cache = zoo_cache("zoo_leak");
	int i;

	for (i = 0; i < 3; i++)
		(void)kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_destroy(cache);
}

/* With another object in use; in an empty slab it would be the count of objects that is wrong. */
static noinline void zoo_slab_double_free(void)
{
	struct kmem_cache *cache = zoo_cache("zoo_double_free");
	char *object = kmem_cache_alloc(cache, GFP_KERNEL);

	(void)kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	OPTIMIZER_HIDE_VAR(object);
	kmem_cache_free(cache, object);
}

/* The write is noticed when the object is handed out again. */
static noinline void zoo_slab_use_after_free(void)
{
	struct kmem_cache *cache = zoo_cache("zoo_use_after_free");
	char *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object);
	OPTIMIZER_HIDE_VAR(object);
	WRITE_ONCE(object[8], 'x');
	(void)kmem_cache_alloc(cache, GFP_KERNEL);
}

/* The write is noticed when the object is freed. */
static noinline void zoo_slab_out_of_bounds(void)
{
	struct kmem_cache *cache = zoo_cache("zoo_out_of_bounds");
	char *object = kmem_cache_alloc(cache, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	WRITE_ONCE(object[OBJECT_BYTES], 'x');
	kmem_cache_free(cache, object);
}

/* Caught by the hardened free list, without any debugging. */
static noinline void zoo_double_free(void)
{
	void *object = kmalloc(OBJECT_BYTES, GFP_KERNEL);

	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	kfree(object);
}

static noinline void zoo_kfence_double_free(void)
{
	char *object = zoo_kfence_object();

	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	kfree(object);
}

static noinline void zoo_kfence_use_after_free(void)
{
	char *object = zoo_kfence_object();

	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	(void)READ_ONCE(object[8]);
}

/* A KFENCE object lies at the start or at the end of its page: leave it by both. */
static noinline void zoo_kfence_out_of_bounds(void)
{
	char *page = (char *)((unsigned long)zoo_kfence_object() & PAGE_MASK);

	OPTIMIZER_HIDE_VAR(page);
	(void)READ_ONCE(page[-1]);
	(void)READ_ONCE(page[PAGE_SIZE]);
}

static noinline void zoo_list_double_add(void)
{
	LIST_HEAD(head);
	struct list_head entry;

	list_add(&entry, &head);
	list_add(&entry, &head);
}

static noinline void zoo_list_double_del(void)
{
	LIST_HEAD(head);
	struct list_head entry;

	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
}

/* To an address of this process, so that only the size of the object is wrong. */
static noinline void zoo_usercopy(void)
{
	char __user *target = (char __user *)current->mm->start_stack;
	char *object = kmalloc(OBJECT_BYTES, GFP_KERNEL);
	unsigned long size = 4 * OBJECT_BYTES;

	OPTIMIZER_HIDE_VAR(object);
	OPTIMIZER_HIDE_VAR(size);
	if (copy_to_user(target, object, size))
		kfree(object);
}

const struct zoo_fault zoo_memory[] = {
	ZOO_FAULT(slab_leak),
	ZOO_FAULT(slab_double_free),
	ZOO_FAULT(slab_use_after_free),
	ZOO_FAULT(slab_out_of_bounds),
	ZOO_FAULT(double_free),
	ZOO_FAULT(kfence_double_free),
	ZOO_FAULT(kfence_use_after_free),
	ZOO_FAULT(kfence_out_of_bounds),
	ZOO_FAULT(list_double_add),
	ZOO_FAULT(list_double_del),
	ZOO_FAULT(usercopy),
	ZOO_END,
};
