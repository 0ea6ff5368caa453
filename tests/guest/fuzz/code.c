// SPDX-License-Identifier: BSD-2-Clause
/* Guest code: CHUNKS pieces, each of which the process starts by itself. */
#include "fuzz.h"

struct emitter {
	struct draw *draw;
	unsigned char *at, *end;
	bool tcg;
};

static void emit(struct emitter *emitter, const void *bytes, size_t length)
{
	for (const unsigned char *byte = bytes; length && emitter->at < emitter->end; length--)
		*emitter->at++ = *byte++;
}

static void emit_random(struct emitter *emitter, size_t length)
{
	uint64_t bytes = draw64(emitter->draw);

	emit(emitter, &bytes, length);
}

/* MOV imm64 to RAX, RCX or RDX. */
static void emit_load(struct emitter *emitter, unsigned char reg, uint64_t value)
{
	unsigned char opcode[] = { 0x48, 0xb8 | reg };

	emit(emitter, opcode, sizeof(opcode));
	emit(emitter, &value, sizeof(value));
}

/* ModRM of an absolute address: by SIB, without base and index. */
static void emit_address(struct emitter *emitter, unsigned char reg)
{
	unsigned char modrm[] = { 0x04 | reg << 3, 0x25 };
	uint32_t address = draw_guest_address(emitter->draw);

	if (one_in(emitter->draw, 8))
		address = draw_edge(emitter->draw);
	emit(emitter, modrm, sizeof(modrm));
	emit(emitter, &address, sizeof(address));
}

static uint32_t draw_msr(struct draw *draw)
{
	static const uint32_t msrs[] = {
		0x10, 0x1b, 0x3a, 0x48, 0x49, 0x8b, 0xfe, 0x174, 0x175, 0x176, 0x179, 0x17a, 0x1a0,
		0x1d9, 0x200, 0x277, 0x2ff, 0x400, 0x480, 0x48b, 0x600, 0x6e0, 0x802, 0x830, 0xda0,
		0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101,
		0xc0000102, 0xc0000103, 0xc0000104, 0xc0010015, 0xc0010055, 0xc0010114, 0xc0010117,
		0xc001011f, 0xc0010130, 0xc0011020, 0x40000000, 0x4b564d00,
	};

	if (one_in(draw, 8))
		return draw_edge(draw);
	return msrs[below(draw, sizeof(msrs) / sizeof(msrs[0]))] + (one_in(draw, 8) ? 1 : 0);
}

/* An entry of a page table: right, or with an address or a bit that is not. */
static uint64_t draw_entry(struct draw *draw)
{
	static const uint64_t bits[] = {
		PTE_P, PTE_W, PTE_U, 8, 16, 32, 64, 128, 256, PTE_NX, 1ull << 40, 1ull << 51,
		1ull << 52, 1ull << 59, 1ull << 62,
	};
	uint64_t entry = draw_guest_address(draw) & ~(GUEST_PAGE - 1);

	entry |= PTE_P | PTE_W | PTE_U;
	if (one_in(draw, 4))
		entry = (draw_edge(draw) & ~(GUEST_PAGE - 1)) | PTE_P | PTE_W;
	for (uint64_t flips = below(draw, 3); flips; flips--)
		entry ^= bits[below(draw, sizeof(bits) / sizeof(bits[0]))];
	return entry;
}

static uint32_t draw_entry_address(struct draw *draw)
{
	uint32_t entry = below(draw, 4);

	/* The upper tables have their first entries in use, the lowest all. */
	return one_in(draw, 2) ? GUEST_PT + below(draw, 512) * 8 :
	       GUEST_PML4 + below(draw, 3) * GUEST_PAGE + entry * 8;
}

/* SS, RSP, RFLAGS, CS and RIP for IRET, mostly as they should be. */
static void emit_user_frame(struct emitter *emitter)
{
	uint32_t rip = GUEST_CODE + below(emitter->draw, CHUNKS) * CHUNK_SIZE;
	uint32_t rsp = GUEST_USER - 8 * below(emitter->draw, 3);
	unsigned char ss[] = { 0x6a, SELECTOR_USER_DATA }, cs[] = { 0x6a, SELECTOR_USER_CODE };

	if (one_in(emitter->draw, 8))
		cs[1] = draw64(emitter->draw);
	emit(emitter, ss, sizeof(ss));
	emit(emitter, "\x68", 1);
	emit(emitter, &rsp, sizeof(rsp));
	emit(emitter, "\x9c", 1);
	emit(emitter, cs, sizeof(cs));
	emit(emitter, "\x68", 1);
	emit(emitter, &rip, sizeof(rip));
}

static const struct instruction *draw_instruction(struct emitter *emitter)
{
	unsigned int total = 0, place;
	const struct instruction *this;

	for (unsigned int i = 0; i < instruction_count; i++)
		total += instructions[i].weight;
	do {
		place = below(emitter->draw, total);
		for (this = instructions; place >= this->weight; this++)
			place -= this->weight;
	} while (emitter->tcg && this->not_on_tcg);
	return this;
}

static void emit_prefix(struct emitter *emitter, const struct instruction *this)
{
	struct draw *draw = emitter->draw;

	switch (this->operands) {
	case MSR:
		emit_load(emitter, 0, draw_edge(draw));
		emit_load(emitter, 2, one_in(draw, 2) ? 0 : draw_edge(draw));
		emit_load(emitter, 1, draw_msr(draw));
		break;
	case ENTRY:
		emit_load(emitter, 0, draw_entry(draw));
		break;
	case TO_USER:
		emit_user_frame(emitter);
		break;
	default:
		if (one_in(draw, 64))	/* any byte before it: mostly a prefix it does not take */
			emit_random(emitter, 1);
	}
}

static void emit_operands(struct emitter *emitter, const struct instruction *this)
{
	uint32_t address;
	unsigned char modrm;

	switch (this->operands) {
	case REGISTERS:
		modrm = 0xc0 | below(emitter->draw, 64);
		emit(emitter, &modrm, 1);
		break;
	case MEMORY:
		emit_address(emitter, this->reg);
		break;
	case ANY_MODRM:
		if (one_in(emitter->draw, 2))
			emit_address(emitter, below(emitter->draw, 8));
		else
			emit_random(emitter, 1);
		break;
	case BYTE:
		emit_random(emitter, 1);
		break;
	case LONG:
		address = below(emitter->draw, 2 * CHUNK_SIZE);
		emit(emitter, &address, sizeof(address));
		break;
	case ENTRY:
		address = draw_entry_address(emitter->draw);
		emit(emitter, &address, sizeof(address));
		break;
	}
}

static void emit_chunk(struct emitter *emitter)
{
	while (emitter->at < emitter->end) {
		const struct instruction *this = draw_instruction(emitter);

		if (one_in(emitter->draw, 12)) {
			emit_random(emitter, 1 + below(emitter->draw, 8));
			continue;
		}
		emit_prefix(emitter, this);
		emit(emitter, this->bytes, this->length);
		emit_operands(emitter, this);
	}
}

/* Wherever a guest jumps to: TCG must not find there what it can't bear. See instructions.c. */
static void remove_what_tcg_cannot_bear(unsigned char *memory, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (memory[i] == 0xf1)
			memory[i] = 0x90;
		if (i >= 1 && memory[i - 1] == 0x0f && memory[i] == 0x23)
			memory[i] = 0x21;
		if (i >= 2 && memory[i - 2] == 0x0f && memory[i - 1] == 0 &&
		    (memory[i] & 0x38) == 0x18)
			memory[i] ^= 0x08;
	}
}

static void spoil_tables(struct machine *machine, struct draw *draw)
{
	for (uint64_t times = below(draw, 4); times; times--)
		machine->memory[GUEST_PML4 + below(draw, GUEST_DATA - GUEST_PML4)] = draw64(draw);
}

void code_generate(struct machine *machine, struct draw *draw)
{
	struct emitter emitter = { .draw = draw, .tcg = is_tcg() };
	uint64_t *data = guest_u64(machine, GUEST_DATA);

	for (unsigned int i = 0; i < GUEST_PAGE / sizeof(*data); i++)
		data[i] = one_in(draw, 2) ? draw_edge(draw) : draw_guest_address(draw);
	for (unsigned int i = 0; i < CHUNKS; i++) {
		emitter.at = machine->memory + GUEST_CODE + i * CHUNK_SIZE;
		emitter.end = emitter.at + CHUNK_SIZE;
		emit_chunk(&emitter);
	}
	if (one_in(draw, 4))
		spoil_tables(machine, draw);
	if (emitter.tcg)
		remove_what_tcg_cannot_bear(machine->memory, GUEST_CODE + CHUNKS * CHUNK_SIZE);
}
