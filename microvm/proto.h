/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hull-vmm and the guest's hull-agent say to each other, and how: frames on one stream, the
 * same code on both sides. Each side takes the other's bytes for hostile.
 *
 *   frame   le32 length of the body (<= PROTO_BODY_MAX), le16 op, le16 flags, le32 request id,
 *           le32 errno (of replies), body
 *   body    fields: le16 type, le16 zero, le32 length, value. A type that is not known is passed
 *           over; of one given twice the first counts.
 *
 * The guest connects to the host's port PROTO_PORT_CONTROL as soon as it runs and sends HELLO; what
 * else there is comes after its answer. A request that is not known is answered with ENOSYS. Each
 * standard stream of a process is a connection of its own, host to guest, port PROTO_PORT_STREAM, where
 * the guest listens before it says HELLO. It is known by its port on the host's side, which CREATE, EXEC
 * and ATTACH name; the host connects first and then asks. It carries the stream's bytes and nothing
 * else, so that back-pressure and end of file are those of the connection.
 */
#ifndef HULL_MICROVM_PROTO_H
#define HULL_MICROVM_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PROTO_VERSION     3
#define PROTO_HEADER_LEN  16
#define PROTO_BODY_MAX    (1u << 20)
#define PROTO_QUEUE_MAX   (4u << 20) /* bytes of frames that wait for a slow reader */
#define PROTO_PENDING_MAX 64         /* requests without an answer, each way */
#define PROTO_ENTROPY_LEN 32
#define PROTO_ID_MAX      1024 /* bytes of a container's or an exec's id */

enum { PROTO_PORT_CONTROL = 1, /* the host's */ PROTO_PORT_STREAM = 2 /* the guest's */ };

/* Where the guest keeps what the host mounts and hull's own state. */
#define PROTO_GUEST_DIR "/run/hull"

/*
 * The operations, with the fields of request -> reply ([optional]). All but HELLO and EVENT go from
 * host to guest. Failure is an errno and MESSAGE. A process is named by ID and EXEC_ID; without
 * EXEC_ID it is the container's first one.
 */
enum proto_op {
	/* VERSION FEATURES BOOT_NS -> VERSION FEATURES [ENTROPY] [CLOCK_NS]. The guest's. */
	PROTO_HELLO = 1,
	/* SOURCE FS_TYPE TARGET [MOUNT_FLAGS] [DATA]; TARGET lies below PROTO_GUEST_DIR */
	PROTO_MOUNT_FS,
	PROTO_UMOUNT, /* TARGET */
	/* ID NETWORK: what the network namespace of that container, not created yet, is to have */
	PROTO_NET_CONFIG,
	/*
	 * ID CONFIG [PORT_…] [ROWS COLUMNS] [NO_PIVOT] [NO_NEW_KEYRING] [PASSWD] -> PID. The process waits
	 * for START. A stream without a port is /dev/null. PORT_TTY stands for all three of a process
	 * with a terminal. The bundle is PROTO_GUEST_DIR/bundles/ID: a relative root.path begins there.
	 * The size of a terminal is set after it was made; process.consoleSize is there from the start.
	 * To join another container's namespace, its path is PROTO_GUEST_DIR/processes/ID/ns/….
	 */
	PROTO_CREATE,
	PROTO_START, /* ID */
	/*
	 * ID EXEC_ID [PORT_…] [ROWS COLUMNS] [PASSWD] and PROCESS, or ARGS and what else is to be other than
	 * in CONFIG's process: [ENV] [CWD] [UID] [GID] [GROUPS] [CAPABILITIES] [SELINUX_LABEL]
	 * [APPARMOR_PROFILE] [NO_NEW_PRIVS]. -> PID, once it runs.
	 */
	PROTO_EXEC,
	PROTO_SIGNAL,      /* ID [EXEC_ID] SIGNAL [ALL] */
	PROTO_WAIT,        /* ID [EXEC_ID] -> STATUS; answered at the end of the process */
	PROTO_RESIZE_TTY,  /* ID [EXEC_ID] ROWS COLUMNS */
	PROTO_CLOSE_STDIN, /* ID [EXEC_ID]: what has arrived still reaches the process */
	PROTO_UPDATE,      /* ID RESOURCES */
	PROTO_STATS,       /* ID -> STATS */
	PROTO_PAUSE,       /* ID */
	PROTO_RESUME,      /* ID */
	PROTO_DELETE,      /* ID [FORCE] */
	PROTO_PS,          /* ID -> PIDS [TEXT]; a table of them */
	PROTO_EVENT,       /* EVENT and what belongs to it; the guest's, not answered */
	PROTO_SHUTDOWN,    /* the guest syncs, answers and resets the machine; it may stay without an answer */
	/*
	 * The machine is about to be saved. [ID], of a paused container -> WRITTEN READ: no more output of
	 * its first process is taken, stdout and stderr (a terminal's: as the first) have carried so much,
	 * and so much input has arrived. May be repeated. The connection's end is none of the agent's from
	 * here on: it connects again and says HELLO. Without ID there is no container yet.
	 */
	PROTO_SUSPEND,
	/*
	 * ID [PORT_…]: after SUSPEND, goes on as before; with ports, on new streams, and an exec is
	 * killed, as its caller is gone. An EXIT that may not have been heard is told again.
	 */
	PROTO_ATTACH,
	/* CPUS -> CPUS: how many processors are to be online, of those there are; how many were. */
	PROTO_SET_CPUS,
	PROTO_OP_END
};
const char *proto_op_name(unsigned int op); /* "?" when unknown */

enum proto_flags { PROTO_REPLY = 1 << 0 };

enum proto_field {
	PROTO_F_MESSAGE = 1, /* string, why a request failed */
	PROTO_F_VERSION,     /* u32 */
	PROTO_F_FEATURES,    /* u64, none yet */
	PROTO_F_BOOT_NS,     /* bytes: u64s, CLOCK_BOOTTIME at the agent's start and at HELLO */
	PROTO_F_ENTROPY,     /* PROTO_ENTROPY_LEN bytes */
	PROTO_F_CLOCK_NS,    /* u64, CLOCK_REALTIME */
	PROTO_F_SOURCE,      /* string: tag of a shared directory, serial or pmemN of a block device */
	PROTO_F_FS_TYPE,     /* string */
	PROTO_F_TARGET,      /* string, absolute */
	PROTO_F_MOUNT_FLAGS, /* u32, enum proto_mount_flags */
	PROTO_F_DATA,        /* string, the file system's own options */
	PROTO_F_ID,          /* string */
	PROTO_F_EXEC_ID,     /* string */
	PROTO_F_CONFIG,      /* string: config.json */
	PROTO_F_PROCESS,     /* string: process.json */
	PROTO_F_RESOURCES,   /* string: a linux.resources object */
	PROTO_F_PORT_STDIN,  /* u32, not 0, as the next three */
	PROTO_F_PORT_STDOUT,
	PROTO_F_PORT_STDERR,
	PROTO_F_PORT_TTY,
	PROTO_F_ROWS, /* u32, as the next */
	PROTO_F_COLUMNS,
	PROTO_F_PID,    /* u32, in the guest */
	PROTO_F_SIGNAL, /* u32 */
	PROTO_F_ALL,    /* u32, not 0: every process of the container */
	PROTO_F_FORCE,  /* u32, not 0 */
	PROTO_F_STATUS, /* u32: as wait(2) gives it */
	PROTO_F_OOM,    /* u32, not 0: ended by the OOM killer */
	PROTO_F_WRITTEN, /* bytes: two u64s, how much stdout and stderr held at the exit; no terminal */
	PROTO_F_STATS,    /* string: the line of hull-oci events --stats */
	PROTO_F_PIDS,     /* bytes: u32s, in the guest */
	PROTO_F_EVENT,    /* u32, enum proto_event */
	PROTO_F_TEXT,     /* string */
	PROTO_F_NO_PIVOT, /* u32, not 0: create --no-pivot, and so on */
	PROTO_F_NO_NEW_KEYRING,
	PROTO_F_NETWORK, /* bytes: base/netconf.h */
	PROTO_F_READ,    /* u64: bytes of stdin that have arrived; ~0: it takes no more */
	PROTO_F_CPUS,    /* u32 */
	PROTO_F_ARGS,    /* strings */
	PROTO_F_ENV,     /* strings, NAME=value: beside, or in place of, those that are there */
	PROTO_F_CWD,     /* string */
	PROTO_F_UID,     /* u32, as the next */
	PROTO_F_GID,
	PROTO_F_GROUPS,        /* bytes: u32s, beside those that are there */
	PROTO_F_CAPABILITIES,  /* strings, the same */
	PROTO_F_SELINUX_LABEL, /* string, as the next */
	PROTO_F_APPARMOR_PROFILE,
	PROTO_F_NO_NEW_PRIVS, /* u32, not 0 */
	/* string: the root's /etc/passwd, to be read in place of it where no mount of the container hides it */
	PROTO_F_PASSWD,
};

enum proto_event {
	PROTO_EVENT_EXIT =
		1,       /* ID EXEC_ID (empty: the first) STATUS OOM WRITTEN, as WAIT's answer */
	PROTO_EVENT_OOM, /* ID */
	PROTO_EVENT_LOG, /* TEXT */
};

enum proto_mount_flags {
	PROTO_MOUNT_RDONLY = 1 << 0,
	PROTO_MOUNT_NOSUID = 1 << 1,
	PROTO_MOUNT_NODEV = 1 << 2,
	PROTO_MOUNT_NOEXEC = 1 << 3,
	PROTO_MOUNT_NOATIME = 1 << 4,
};

/* ---- bodies ---- */

struct proto_body {
	const uint8_t *data;
	size_t len;
};

/* The body that is built in b. */
struct proto_body proto_body_of(const struct buf *b);

/* -EPROTO when it is not as in struct proto_frame: of a body that came another way. */
int proto_check(const struct proto_body *b, struct err *err) MUST_CHECK;

/* Each appends a field. Nobody checks the body's length before proto_send. */
void proto_put_u32(struct buf *b, enum proto_field type, uint32_t value);
void proto_put_u64(struct buf *b, enum proto_field type, uint64_t value);
void proto_put_bytes(struct buf *b, enum proto_field type, const void *data, size_t len);
void proto_put_string(struct buf *b, enum proto_field type, const char *value);
/* NULL-terminated; the value is its strings, each with its NUL. */
void proto_put_strings(struct buf *b, enum proto_field type, const char *const *list);
void proto_put_u64s(struct buf *b, enum proto_field type, const uint64_t *list, size_t n);
void proto_put_u32s(struct buf *b, enum proto_field type, const uint32_t *list, size_t n);

/*
 * Each returns 1 when the field is there, 0 when not (and *ret stays as it is), -EPROTO when it is
 * not of that shape.
 */
int proto_get_u32(const struct proto_body *b, enum proto_field type, uint32_t *ret,
		  struct err *err) MUST_CHECK;
int proto_get_u64(const struct proto_body *b, enum proto_field type, uint64_t *ret,
		  struct err *err) MUST_CHECK;
/* Borrowed from the body. */
int proto_get_bytes(const struct proto_body *b, enum proto_field type, const uint8_t **ret,
		    size_t *ret_len, struct err *err) MUST_CHECK;
/* Exactly len bytes, copied. */
int proto_get_array(const struct proto_body *b, enum proto_field type, uint8_t *ret, size_t len,
		    struct err *err) MUST_CHECK;
/* Without a NUL inside, at most max bytes; caller frees. */
int proto_get_string(const struct proto_body *b, enum proto_field type, size_t max, char **ret,
		     struct err *err) MUST_CHECK;
/* At most max strings; one allocation, caller frees the list alone. */
int proto_get_strings(const struct proto_body *b, enum proto_field type, size_t max, char ***ret,
		      struct err *err) MUST_CHECK;
/* At most max numbers into ret; *ret_n of them. */
int proto_get_u64s(const struct proto_body *b, enum proto_field type, uint64_t *ret, size_t max,
		   size_t *ret_n, struct err *err) MUST_CHECK;
/* Caller frees. */
int proto_get_u32s(const struct proto_body *b, enum proto_field type, uint32_t **ret, size_t *ret_n,
		   struct err *err) MUST_CHECK;

/* ---- frames in ---- */

struct proto_frame {
	uint16_t op, flags;
	uint32_t id;
	uint32_t error;         /* 0 to 4095 */
	struct proto_body body; /* its fields lie one behind the other without a gap or rest */
};

struct proto_reader {
	uint8_t header[PROTO_HEADER_LEN];
	size_t n_header;
	uint8_t *body; /* grows with what arrives, not with what is announced */
	size_t n_body, cap_body;
	struct proto_frame frame; /* after PROTO_READ_FRAME, until the next call */
	bool done;
};

void proto_reader_init(struct proto_reader *r);
void proto_reader_release(struct proto_reader *r);

enum proto_read {
	PROTO_READ_AGAIN, /* no more bytes for now */
	PROTO_READ_FRAME, /* r->frame */
	PROTO_READ_END,   /* end of file between two frames */
};

/* Takes bytes from memory, up to the end of a frame; *used says how many. Or -EPROTO, -ENOMEM. */
int proto_feed(struct proto_reader *r, const uint8_t *data, size_t len, size_t *ret_used,
	       struct err *err) MUST_CHECK;

/*
 * Reads from a non-blocking stream socket up to the end of a frame. -ECONNRESET: it ended inside
 * one. After an error the reader is of no more use.
 */
int proto_read(struct proto_reader *r, int fd, struct err *err) MUST_CHECK;

/* ---- frames out ---- */

struct proto_writer {
	struct buf out;
	size_t done; /* of out, already written */
	size_t max;  /* of what waits */
};

void proto_writer_init(struct proto_writer *w);
void proto_writer_release(struct proto_writer *w);

/*
 * Queues a frame. -E2BIG: the body is too long; -ENOBUFS: too much waits already. frame->body may be
 * empty (data NULL).
 */
int proto_send(struct proto_writer *w, const struct proto_frame *frame, struct err *err) MUST_CHECK;

/* Writes to a non-blocking stream socket what it takes. Returns 1 when something is left, else 0. */
int proto_flush(struct proto_writer *w, int fd, struct err *err) MUST_CHECK;

#endif
