/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of configurations for the tests of runtime/spec*.c. Texts are written with ' for ", so
 * that they can be read. A '@' in a faulty text marks the byte that the message must point at; it
 * is taken out before the text is parsed.
 */
#ifndef HULL_TESTS_SPEC_CASES_H
#define HULL_TESTS_SPEC_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "runtime/spec.h"

#define BUNDLE "/bundle"

/* What stands around the part that a case is about. */
#define ROOT            "'ociVersion':'1.0.2','root':{'path':'rootfs'}"
#define TOP(x)          "{" ROOT "," x "}"
#define PROCESS(x)      TOP("'process':{'args':['sh'],'cwd':'/'," x "}")
#define MOUNT(x)        TOP("'linux':{'namespaces':[{'type':'mount'}]},'mounts':[{" x "}]")
#define LINUX(x)        TOP("'linux':{" x "}")
#define LINUX_NS(ns, x) LINUX("'namespaces':[{'type':'mount'},{'type':'" ns "'}]," x)
#define RESOURCES(x)    LINUX("'resources':{" x "}")
#define SECCOMP(x)      LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'," x "}")

struct bad_case {
	const char *text;
	const char *message; /* behind "config.json:LINE:COL: " */
};

/* Gives the JSON of text; the place of its mark, if any, goes to *ret_line and *ret_col. */
static inline char *spec_case_text(const char *text, size_t *ret_line, size_t *ret_col)
{
	struct buf out = BUF_INIT;
	size_t line = 1, col = 1;

	for (; *text; text++, col++) {
		if (*text == '@' && ret_line && *ret_line == 0) {
			*ret_line = line;
			*ret_col = col--;
			continue;
		}
		buf_addc(&out, *text == '\'' ? '"' : *text);
		if (*text == '\n') {
			line++;
			col = 0;
		}
	}
	return buf_detach(&out);
}

static inline void spec_check_bad(const struct bad_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t line = 0, col = 0;
		FREE char *text = spec_case_text(cases[i].text, &line, &col);
		FREE char *expected =
			mem_xprintf("config.json:%zu:%zu: %s", line, col, cases[i].message);
		struct spec *spec = NULL;
		struct err err = ERR_INIT;
		int rc = spec_parse(BUNDLE, "config.json", text, strlen(text), &spec, &err);

		if (rc >= 0)
			fail_msg("taken, though it is wrong: %s", text);
		assert_null(spec);
		assert_int_equal(rc, -err.code);
		assert_string_equal(err.msg, expected);
	}
}

/* Parses a text that must be right. Free with spec_free. */
static inline struct spec *spec_good(const char *quoted)
{
	FREE char *text = spec_case_text(quoted, NULL, NULL);
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	if (spec_parse(BUNDLE, "config.json", text, strlen(text), &spec, &err) < 0)
		fail_msg("%s\nrefused: %s", text, err.msg);
	return spec;
}

static inline void spec_free_ptr(struct spec **spec)
{
	spec_free(*spec);
}

#define SPEC __attribute__((cleanup(spec_free_ptr))) struct spec

/* Parses texts that must be right and whose result is not looked at. */
static inline void spec_check_good(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spec_free(spec_good(texts[i]));
}

#endif
