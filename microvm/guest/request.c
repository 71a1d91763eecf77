/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which fields an operation needs and takes is one table; what it does not take is not looked at. */
#include "microvm/guest/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define F(name)    (1ULL << PROTO_F_##name)
#define WORD_MAX   256
#define SIGNAL_MAX 64

#define PORTS   (F(PORT_STDIN) | F(PORT_STDOUT) | F(PORT_STDERR) | F(PORT_TTY))
#define SIZE    (F(ROWS) | F(COLUMNS))
#define NAME    (F(ID) | F(EXEC_ID))
#define PROCESS                                                                                    \
	(F(PROCESS) | F(ARGS) | F(ENV) | F(CWD) | F(UID) | F(GID) | F(GROUPS) | F(CAPABILITIES) |  \
	 F(SELINUX_LABEL) | F(APPARMOR_PROFILE) | F(NO_NEW_PRIVS))

_Static_assert(PROTO_F_PASSWD < 64, "a field is a bit");

static const struct {
	bool known;
	uint64_t needs, takes;
} rules[PROTO_OP_END] = {
	[PROTO_MOUNT_FS] = {true, F(SOURCE) | F(FS_TYPE) | F(TARGET), F(MOUNT_FLAGS) | F(DATA)},
	[PROTO_UMOUNT] = {true, F(TARGET), 0},
	[PROTO_NET_CONFIG] = {true, F(ID) | F(NETWORK), 0},
	[PROTO_CREATE] = {true, F(ID) | F(CONFIG),
			  PORTS | SIZE | F(NO_PIVOT) | F(NO_NEW_KEYRING) | F(PASSWD)},
	[PROTO_START] = {true, F(ID), 0},
	[PROTO_EXEC] = {true, NAME, PORTS | SIZE | PROCESS | F(PASSWD)},
	[PROTO_SIGNAL] = {true, F(ID) | F(SIGNAL), F(EXEC_ID) | F(ALL)},
	[PROTO_WAIT] = {true, F(ID), F(EXEC_ID)},
	[PROTO_RESIZE_TTY] = {true, F(ID) | SIZE, F(EXEC_ID)},
	[PROTO_CLOSE_STDIN] = {true, F(ID), F(EXEC_ID)},
	[PROTO_UPDATE] = {true, F(ID) | F(RESOURCES), 0},
	[PROTO_STATS] = {true, F(ID), 0},
	[PROTO_PAUSE] = {true, F(ID), 0},
	[PROTO_RESUME] = {true, F(ID), 0},
	[PROTO_DELETE] = {true, F(ID), F(FORCE)},
	[PROTO_PS] = {true, F(ID), 0},
	[PROTO_SHUTDOWN] = {true, 0, 0},
	[PROTO_SUSPEND] = {true, 0, F(ID)},
	[PROTO_ATTACH] = {true, F(ID), PORTS},
	[PROTO_SET_CPUS] = {true, F(CPUS), 0},
};

enum shape { NUMBER, NUMBERS, STRING, STRINGS, NETWORK };

static const struct {
	enum proto_field type;
	enum shape shape;
	size_t offset;
	size_t max; /* of a string's bytes, of a list's strings */
} fields[] = {
	{PROTO_F_ID, STRING, offsetof(struct request, container), PROTO_ID_MAX},
	{PROTO_F_EXEC_ID, STRING, offsetof(struct request, exec), PROTO_ID_MAX},
	{PROTO_F_CONFIG, STRING, offsetof(struct request, text), PROTO_BODY_MAX},
	{PROTO_F_PROCESS, STRING, offsetof(struct request, text), PROTO_BODY_MAX},
	{PROTO_F_RESOURCES, STRING, offsetof(struct request, text), PROTO_BODY_MAX},
	{PROTO_F_SOURCE, STRING, offsetof(struct request, source), WORD_MAX},
	{PROTO_F_FS_TYPE, STRING, offsetof(struct request, type), WORD_MAX},
	{PROTO_F_TARGET, STRING, offsetof(struct request, target), 4095},
	{PROTO_F_DATA, STRING, offsetof(struct request, data), 4095},
	{PROTO_F_MOUNT_FLAGS, NUMBER, offsetof(struct request, mount_flags), 0},
	{PROTO_F_ROWS, NUMBER, offsetof(struct request, rows), 0},
	{PROTO_F_COLUMNS, NUMBER, offsetof(struct request, columns), 0},
	{PROTO_F_SIGNAL, NUMBER, offsetof(struct request, signal), 0},
	{PROTO_F_CPUS, NUMBER, offsetof(struct request, cpus), 0},
	{PROTO_F_ALL, NUMBER, offsetof(struct request, all), 0},
	{PROTO_F_FORCE, NUMBER, offsetof(struct request, force), 0},
	{PROTO_F_NO_PIVOT, NUMBER, offsetof(struct request, no_pivot), 0},
	{PROTO_F_NO_NEW_KEYRING, NUMBER, offsetof(struct request, no_new_keyring), 0},
	{PROTO_F_PASSWD, STRING, offsetof(struct request, passwd), PROTO_BODY_MAX},
	{PROTO_F_ARGS, STRINGS, offsetof(struct request, args), PROTO_BODY_MAX},
	{PROTO_F_ENV, STRINGS, offsetof(struct request, env), PROTO_BODY_MAX},
	{PROTO_F_CAPABILITIES, STRINGS, offsetof(struct request, caps), PROTO_BODY_MAX},
	{PROTO_F_CWD, STRING, offsetof(struct request, cwd), PROTO_BODY_MAX},
	{PROTO_F_SELINUX_LABEL, STRING, offsetof(struct request, selinux_label), PROTO_BODY_MAX},
	{PROTO_F_APPARMOR_PROFILE, STRING, offsetof(struct request, apparmor_profile),
	 PROTO_BODY_MAX},
	{PROTO_F_UID, NUMBER, offsetof(struct request, uid), 0},
	{PROTO_F_GID, NUMBER, offsetof(struct request, gid), 0},
	{PROTO_F_NO_NEW_PRIVS, NUMBER, offsetof(struct request, no_new_privs), 0},
	{PROTO_F_GROUPS, NUMBERS, offsetof(struct request, groups), 0},
	{PROTO_F_NETWORK, NETWORK, offsetof(struct request, network), 0},
	{PROTO_F_PORT_STDIN, NUMBER, offsetof(struct request, port[PORT_STDIN]), 0},
	{PROTO_F_PORT_STDOUT, NUMBER, offsetof(struct request, port[PORT_STDOUT]), 0},
	{PROTO_F_PORT_STDERR, NUMBER, offsetof(struct request, port[PORT_STDERR]), 0},
	{PROTO_F_PORT_TTY, NUMBER, offsetof(struct request, port[PORT_TTY]), 0},
};

static int get_network(const struct proto_body *body, enum proto_field type, struct netconf **ret,
		       struct err *err)
{
	const uint8_t *data;
	size_t len;
	int rc = proto_get_bytes(body, type, &data, &len, err);

	if (rc != 1)
		return rc;
	rc = netconf_decode(data, len, ret, err);
	return rc < 0 ? rc : 1;
}

static int get_field(const struct proto_body *body, size_t i, struct request *q, struct err *err)
{
	void *at = (char *)q + fields[i].offset;
	struct numbers *numbers = at;

	switch (fields[i].shape) {
	case NUMBER:
		return proto_get_u32(body, fields[i].type, at, err);
	case NUMBERS:
		return proto_get_u32s(body, fields[i].type, &numbers->list, &numbers->n, err);
	case STRING:
		return proto_get_string(body, fields[i].type, fields[i].max, at, err);
	case STRINGS:
		return proto_get_strings(body, fields[i].type, fields[i].max, at, err);
	case NETWORK:
		return get_network(body, fields[i].type, at, err);
	}
	return 0;
}

static int get_fields(const struct proto_frame *frame, struct request *q, struct err *err)
{
	const uint64_t needs = rules[frame->op].needs, takes = needs | rules[frame->op].takes;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const uint64_t bit = 1ULL << fields[i].type;
		int rc;

		if (!(takes & bit))
			continue;
		rc = get_field(&frame->body, i, q, err);
		if (rc < 0)
			return rc;
		if (rc == 0 && (needs & bit))
			return err_set(err, EINVAL, "field %d is missing", (int)fields[i].type);
	}
	return 0;
}

static int check_values(const struct request *q, struct err *err)
{
	if (q->container && !*q->container)
		return err_set(err, EINVAL, "the container's id is empty");
	if (q->exec && !*q->exec)
		return err_set(err, EINVAL, "the exec's id is empty");
	if (q->rows > UINT16_MAX || q->columns > UINT16_MAX)
		return err_set(err, EINVAL, "a terminal of %u by %u", q->rows, q->columns);
	if (q->signal > SIGNAL_MAX)
		return err_set(err, EINVAL, "signal %u", q->signal);
	if (q->port[PORT_TTY] &&
	    (q->port[PORT_STDIN] || q->port[PORT_STDOUT] || q->port[PORT_STDERR]))
		return err_set(err, EINVAL, "streams beside a terminal");
	return 0;
}

int request_parse(const struct proto_frame *frame, struct request *ret, struct err *err)
{
	struct request q = {.op = frame->op, .id = frame->id, .uid = NO_ID, .gid = NO_ID};
	int rc;

	if (frame->op >= PROTO_OP_END || !rules[frame->op].known)
		return err_set(err, ENOSYS, "operation %u is not known", frame->op);
	rc = get_fields(frame, &q, err);
	if (rc == 0)
		rc = check_values(&q, err);
	if (rc < 0) {
		request_release(&q);
		return err_wrap(err, rc, "%s", proto_op_name(frame->op));
	}
	*ret = q;
	return 0;
}

void request_release(struct request *q)
{
	free(q->container);
	free(q->exec);
	free(q->text);
	free(q->source);
	free(q->type);
	free(q->target);
	free(q->data);
	free(q->network);
	free(q->passwd);
	free(q->args);
	free(q->env);
	free(q->caps);
	free(q->cwd);
	free(q->selinux_label);
	free(q->apparmor_profile);
	free(q->groups.list);
	*q = (struct request){0};
}
