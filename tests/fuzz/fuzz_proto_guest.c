/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host may send to the guest's agent: frames, and requests from their fields. A request that
 * is taken has all that its operation needs, and every value is in its range. Fields are also asked
 * for as what they are not.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "microvm/guest/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct request *q)
{
	const bool is_about_one = q->op != PROTO_MOUNT_FS && q->op != PROTO_UMOUNT &&
				  q->op != PROTO_SHUTDOWN && q->op != PROTO_SUSPEND &&
				  q->op != PROTO_SET_CPUS;

	if (is_about_one && !q->container)
		abort();
	if (q->container && (!*q->container || strlen(q->container) > PROTO_ID_MAX))
		abort();
	if (q->op == PROTO_EXEC && (!q->exec || !*q->exec))
		abort();
	if ((q->op == PROTO_CREATE || q->op == PROTO_UPDATE) && !q->text)
		abort();
	if (q->op == PROTO_MOUNT_FS && (!q->source || !q->type || !q->target))
		abort();
	if (q->op == PROTO_NET_CONFIG && (!q->network || netconf_check(q->network, NULL) < 0))
		abort();
	if (q->rows > UINT16_MAX || q->columns > UINT16_MAX || q->signal > 64)
		abort();
}

static void check_fields(const struct proto_body *b)
{
	for (unsigned int i = 0; i <= PROTO_F_PASSWD + 1; i++) {
		enum proto_field type = (enum proto_field)i;
		char *text = NULL, **list = NULL;
		uint32_t u32 = 0, *u32s = NULL;
		uint64_t u64 = 0, u64s[3];
		size_t n = 0;

		(void)!proto_get_u32(b, type, &u32, NULL);
		(void)!proto_get_u64(b, type, &u64, NULL);
		(void)!proto_get_u64s(b, type, u64s, 3, &n, NULL);
		if (proto_get_string(b, type, 100, &text, NULL) == 1 && strlen(text) > 100)
			abort();
		if (proto_get_strings(b, type, 10, &list, NULL) == 1) {
			for (n = 0; list[n]; n++)
				(void)strlen(list[n]);
			if (n > 10)
				abort();
		}
		if (proto_get_u32s(b, type, &u32s, &n, NULL) == 1 && n > b->len / 4)
			abort();
		free(text);
		free(list);
		free(u32s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_reader r;
	struct err err;
	size_t used = 0;

	proto_reader_init(&r);
	while (proto_feed(&r, data, size, &used, &err) == PROTO_READ_FRAME) {
		struct request q;
		int rc = request_parse(&r.frame, &q, &err);

		check_fields(&r.frame.body);
		if (rc < 0 && (rc != -err.code || !err.msg[0]))
			abort();
		if (rc == 0) {
			check_request(&q);
			request_release(&q);
		}
		data += used;
		size -= used;
	}
	proto_reader_release(&r);
	return 0;
}
