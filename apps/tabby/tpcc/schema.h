/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TPC-C's tables (clause 1.3), with two indices that its transactions need: customers by name, and
 * orders by customer. Numbers in keys are big-endian, so that their order is that of the bytes.
 * Money is in cents, rates in ten-thousandths. Every record has a fixed size.
 */
#ifndef TABBY_TPCC_SCHEMA_H
#define TABBY_TPCC_SCHEMA_H

#include <stdint.h>

enum table {
	WAREHOUSE, DISTRICT, CUSTOMER, CUSTOMER_NAME, HISTORY, NEW_ORDER, ORDER, ORDER_CUSTOMER,
	ORDER_LINE, ITEM, STOCK,
};

#define DISTRICTS 10		/* of a warehouse */
#define LINES_MAX 15		/* of an order */
#define NAME_SIZE 16

struct address {
	char street_1[20], street_2[20], city[20], state[2], zip[9];
};

struct warehouse {
	char name[10];
	struct address address;
	int32_t tax;
	int64_t ytd;
};

struct district {
	char name[10];
	struct address address;
	int32_t tax;
	int64_t ytd;
	uint32_t next_order;
};

struct customer {
	char first[NAME_SIZE], middle[2], last[NAME_SIZE];
	struct address address;
	char phone[16];
	uint64_t since;
	char credit[2];
	int64_t credit_limit;
	int32_t discount;
	int64_t balance, ytd_payment;
	uint32_t payments, deliveries;
	char data[500];
};

struct history {
	uint32_t customer, customer_district, customer_warehouse, district, warehouse;
	uint64_t date;
	int64_t amount;
	char data[24];
};

struct order {
	uint32_t customer;
	uint64_t entered;
	uint32_t carrier;		/* 0: none yet */
	uint32_t lines, all_local;
};

struct order_line {
	uint32_t item, supplier;
	uint64_t delivered;		/* 0: not yet */
	uint32_t quantity;
	int64_t amount;
	char info[24];
};

struct item {
	uint32_t image;
	char name[24];
	int64_t price;
	char data[50];
};

struct stock {
	int32_t quantity;
	char info[DISTRICTS][24];
	int64_t ytd;
	uint32_t orders, remotes;
	char data[50];
};

/* Of up to five numbers, or, of customers' names, of two numbers, two names and a number. */
struct number_key {
	uint32_t part[5];
	uint32_t count;
};

struct name_key {
	uint32_t warehouse, district;
	char last[NAME_SIZE], first[NAME_SIZE];
	uint32_t customer;
};

#endif /* TABBY_TPCC_SCHEMA_H */
