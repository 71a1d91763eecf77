/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of further containers: the file server is told of each tree that comes or goes, one after the
 * other, and answers in its own time. Containers may use one tree together; it goes with the last of
 * them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/vmm/vmm.h"

struct tree {
	struct tree *next;
	char *name;
	unsigned int users;
	unsigned int asks; /* in line, about it */
	bool is_there;     /* the server has it */
};

enum ask_what {
	ASK_ADD,
	ASK_REMOVE,
	ASK_LOOK, /* whether the ADD before it went well */
};

struct ask {
	struct ask *next;
	enum ask_what what;
	struct tree *tree;
	int fd;
	tree_fn *fn; /* NULL: nobody wants to know */
	void *arg;
};

struct trees {
	struct vmm *vmm;
	struct loop_source *source;
	struct tree *list; /* that have users */
	struct ask *first, **end;
	bool asked; /* the first one is on its way */
};

static void tree_free_if_unused(struct tree *t)
{
	if (t->users || t->asks)
		return;
	free(t->name);
	free(t);
}

/* Nobody finds it any more. */
static void unlist(struct trees *trees, struct tree *t)
{
	struct tree **at = &trees->list;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
}

static void drop_user(struct trees *trees, struct tree *t)
{
	if (--t->users == 0)
		unlist(trees, t);
}

/* ---- asking, in line ---- */

/* Takes the first one out of the line. */
static void finish(struct trees *trees, const struct err *why)
{
	struct ask *a = trees->first;
	struct tree *t = a->tree;

	trees->first = a->next;
	if (!trees->first)
		trees->end = &trees->first;
	trees->asked = false;
	if (a->what != ASK_REMOVE && why)
		drop_user(trees, t);
	if (a->fn)
		a->fn(a->arg, why);
	else if (why)
		log_warn("files of a container are kept: %s", why->msg);
	fd_close(a->fd);
	free(a);
	t->asks--;
	tree_free_if_unused(t);
}

static void go_on(struct trees *trees)
{
	const int server = trees->vmm->machine.files.trees_fd;

	while (trees->first && !trees->asked) {
		const struct ask *a = trees->first;
		struct err e = ERR_INIT;

		if (a->what == ASK_LOOK) {
			if (!a->tree->is_there)
				(void)err_set(&e, EIO, "it could not be shared before either");
			finish(trees, a->tree->is_there ? NULL : &e);
		} else if (fsd_tree_ask(server, a->tree->name, a->fd, &e) < 0) {
			finish(trees, &e);
		} else {
			trees->asked = true;
		}
	}
}

static void answered(void *arg, uint32_t events)
{
	struct trees *trees = arg;
	struct err e = ERR_INIT;
	int code = 0, rc = fsd_tree_answered(trees->vmm->machine.files.trees_fd, &code);

	(void)events;
	if (rc < 0) { /* the server has gone, and the machine with it */
		loop_remove(trees->source);
		trees->source = NULL;
	}
	if (rc <= 0 || !trees->asked)
		return;
	if (code)
		(void)err_code(&e, code, "share files with the virtual machine");
	else
		trees->first->tree->is_there = trees->first->what == ASK_ADD;
	finish(trees, code ? &e : NULL);
	go_on(trees);
}

static void ask(struct trees *trees, enum ask_what what, struct tree *t, int fd, tree_fn *fn,
		void *arg)
{
	struct ask *a = mem_xalloc(sizeof(*a));

	*a = (struct ask){.what = what, .tree = t, .fd = fd, .fn = fn, .arg = arg};
	t->asks++;
	*trees->end = a;
	trees->end = &a->next;
	go_on(trees);
}

/* ---- users ---- */

static struct tree *find(const struct trees *trees, const char *name)
{
	struct tree *t = trees->list;

	while (t && strcmp(t->name, name) != 0)
		t = t->next;
	return t;
}

void trees_use(struct vmm *v, const char *name, int fd, tree_fn *fn, void *arg)
{
	struct trees *trees = v->trees;
	struct tree *t = find(trees, name);

	if (t) {
		t->users++;
		fd_close(fd);
		ask(trees, ASK_LOOK, t, -1, fn, arg);
		return;
	}
	t = mem_xalloc(sizeof(*t));
	*t = (struct tree){.next = trees->list, .name = mem_xstrdup(name), .users = 1};
	trees->list = t;
	ask(trees, ASK_ADD, t, fd, fn, arg);
}

void trees_leave(struct vmm *v, const char *name)
{
	struct tree *t = find(v->trees, name);

	if (!t)
		return;
	drop_user(v->trees, t);
	if (t->users == 0)
		ask(v->trees, ASK_REMOVE, t, -1, NULL, NULL);
}

int trees_new(struct vmm *v, struct trees **ret, struct err *err)
{
	struct trees *trees = mem_xalloc(sizeof(*trees));

	trees->vmm = v;
	trees->end = &trees->first;
	*ret = trees;
	return loop_add(v->loop, v->machine.files.trees_fd, EPOLLIN, answered, trees,
			&trees->source, err);
}
