// SPDX-License-Identifier: BSD-2-Clause
/*
 * The result, as a list of names and values that JSON and CSV both print. Counters of the pool are
 * the phase's own; what an engine has no counter for is null, and empty in CSV.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "driver/run.h"

#define FIELDS_MAX 64

struct field {
	const char *name;
	char value[256];
	bool text;
};

struct fields {
	struct field field[FIELDS_MAX];
	unsigned int count;
};

static struct field *add(struct fields *fields, const char *name)
{
	struct field *field = &fields->field[fields->count];

	if (fields->count + 1 < FIELDS_MAX)
		fields->count++;
	*field = (struct field){ .name = name };
	return field;
}

static void add_text(struct fields *fields, const char *name, const char *value)
{
	struct field *field = add(fields, name);

	snprintf(field->value, sizeof(field->value), "%s", value);
	field->text = true;
}

static void add_number(struct fields *fields, const char *name, uint64_t value)
{
	struct field *field = add(fields, name);

	snprintf(field->value, sizeof(field->value), "%" PRIu64, value);
}

/* A run that was too short for a clock has no rate. */
static void add_real(struct fields *fields, const char *name, double value)
{
	struct field *field = add(fields, name);

	if (isfinite(value))
		snprintf(field->value, sizeof(field->value), "%.6f", value);
}

static void add_flag(struct fields *fields, const char *name, bool value)
{
	snprintf(add(fields, name)->value, 6, "%s", value ? "true" : "false");
}

static void add_counter(struct fields *fields, const char *name, bool known, uint64_t value)
{
	if (known)
		add_number(fields, name, value);
	else
		add(fields, name);
}

static void add_setting(struct fields *fields, const struct run *run)
{
	const struct options *o = run->options;

	add_text(fields, "pool", o->store.engine);
	add_text(fields, "workload", o->workload->name);
	add_text(fields, "distribution", o->zipfian ? "zipfian" : "uniform");
	add_real(fields, "theta", o->zipfian ? o->theta : 0);
	add_number(fields, "records", o->records);
	add_number(fields, "warehouses", o->warehouses);
	add_real(fields, "scale", o->scale);
	add_number(fields, "threads", o->threads);
	add_number(fields, "frames", o->store.frames);
	add_number(fields, "files", o->store.file_count);
	add_number(fields, "seed", o->seed);
	add_flag(fields, "inside", o->inside);
	add_flag(fields, "direct", run->store->direct);
	add_flag(fields, "checksums", o->store.checksums);
}

static void add_pool(struct fields *fields, const struct outcome *outcome)
{
	const struct dbos_pool_stats *before = &outcome->before.pool, *after = &outcome->after.pool;
	bool known = outcome->after.known;

	add_counter(fields, "pages", known, after->pages);
	add_counter(fields, "pages_read", known, after->reads - before->reads);
	add_counter(fields, "pages_written", known, after->writes - before->writes);
	add_counter(fields, "evictions", known, after->evictions - before->evictions);
	add_counter(fields, "repairs", known, after->repairs - before->repairs);
	add_counter(fields, "waits", known, after->waits - before->waits);
	add_counter(fields, "transfer_errors", known, after->errors - before->errors);
}

static void add_vcpu(struct fields *fields, const struct run *run, const struct outcome *outcome)
{
	const struct vcpu_counts *vcpu = &outcome->vcpu;
	bool inside = run->options->inside;

	add_counter(fields, "vcpu_entries", inside, vcpu->own.entries);
	add_counter(fields, "vcpu_faults", inside, vcpu->own.faults);
	add_counter(fields, "vcpu_flushes", inside, vcpu->own.tlb_flushes);
	add_counter(fields, "vcpu_syscalls", inside, vcpu->own.syscalls);
	add_counter(fields, "flushed_pages", inside, vcpu->flush.pages);
	add_counter(fields, "full_flushes", inside, vcpu->flush.all);
	add_counter(fields, "flush_interrupts", inside, vcpu->flush.interrupts);
}

static void print_json(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const char *quote = field->text ? "\"" : "";

		printf("%s\"%s\": %s%s%s", i ? ", " : "{", field->name, quote,
		       field->value[0] ? field->value : "null", quote);
	}
	puts("}");
}

static void print_csv(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++)
		printf("%s%s", i ? "," : "", fields->field[i].name);
	putchar('\n');
	for (unsigned int i = 0; i < fields->count; i++)
		printf("%s%s", i ? "," : "", fields->field[i].value);
	putchar('\n');
}

void report(const struct run *run, const struct outcome *load, const struct outcome *outcome,
	    bool checked)
{
	struct fields fields = { .count = 0 };

	add_setting(&fields, run);
	add_real(&fields, "load_seconds", load->seconds);
	add_real(&fields, "load_cpu_seconds", load->cpu);
	add_number(&fields, "operations", outcome->operations);
	add_real(&fields, "seconds", outcome->seconds);
	add_real(&fields, "cpu_seconds", outcome->cpu);
	add_real(&fields, "operations_per_second", outcome->operations / outcome->seconds);
	add_real(&fields, "operations_per_cpu_second", outcome->operations / outcome->cpu);
	add_number(&fields, "missing", outcome->missing);
	add_number(&fields, "errors", outcome->errors);
	add_flag(&fields, "checked", checked);
	add_counter(&fields, "versions", checked, run->versions);
	add_pool(&fields, outcome);
	add_vcpu(&fields, run, outcome);
	for (unsigned int i = 0; i < 8 && run->options->workload->detail[i]; i++)
		add_number(&fields, run->options->workload->detail[i], outcome->detail[i]);
	if (run->options->output == OUTPUT_JSON)
		print_json(&fields);
	else
		print_csv(&fields);
}
