// SPDX-License-Identifier: BSD-2-Clause
#include "driver/random.h"
#include "ycsb/record.h"

static uint64_t checksum(const struct record *record)
{
	uint64_t sum = mix(record->id) ^ record->version;

	for (unsigned int i = 0; i < RECORD_WORDS - 3; i++)
		sum = sum * 0x100000001b3ull ^ record->filling[i];
	return mix(sum);
}

void record_make(struct record *record, uint64_t id, uint64_t version)
{
	record->id = id;
	record->version = version;
	for (unsigned int i = 0; i < RECORD_WORDS - 3; i++)
		record->filling[i] = (id << 20) + (version << 4) + i;
	record->checksum = checksum(record);
}

bool record_is_right(const struct record *record, uint64_t id)
{
	return record->id == id && record->checksum == checksum(record);
}
