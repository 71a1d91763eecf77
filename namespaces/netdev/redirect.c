/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames from one interface to another, by traffic control (man 8 tc): an ingress qdisc with one
 * filter that matches everything and the action "mirred egress redirect". cls_matchall is made for
 * that; a kernel without it has cls_u32, which can be told to look at nothing.
 *
 * The action bears a cookie, by which it is known later. An interface with an ingress qdisc that is
 * not ours is left alone: who made it counts on seeing what arrives.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdbool.h>
#include <string.h>

#include "namespaces/netdev/netdev.h"

#define COOKIE        "hull-vm"
#define QDISC         "ingress"
#define QDISC_HANDLE  TC_H_MAKE(TC_H_INGRESS, 0)
#define PRIORITY      1
#define DUMP_ATTEMPTS 16

static const struct classifier {
	const char *kind;
	uint16_t actions; /* the attribute that holds them */
} classifiers[] = {
	{"matchall", TCA_MATCHALL_ACT},
	{"u32", TCA_U32_ACT},
};

enum { N_CLASSIFIERS = sizeof(classifiers) / sizeof(classifiers[0]) };

static struct nlmsghdr *tc_request(void *buf, uint16_t type, uint16_t flags, int index,
				   uint32_t parent)
{
	struct nlmsghdr *request = netlink_request(buf, type, flags);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));

	tc->tcm_ifindex = index;
	tc->tcm_parent = parent;
	return request;
}

/* ---- the qdisc ---- */

static int add_qdisc(struct netlink *nl, int index)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request =
		tc_request(buf, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, TC_H_INGRESS);
	struct tcmsg *tc = mnl_nlmsg_get_payload(request);

	tc->tcm_handle = QDISC_HANDLE;
	mnl_attr_put_strz(request, TCA_KIND, QDISC);
	return netlink_talk(nl, request, NULL, NULL);
}

void redirect_remove(struct netlink *nl, int from)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = tc_request(buf, RTM_DELQDISC, 0, from, TC_H_INGRESS);

	(void)!netlink_talk(nl, request, NULL, NULL);
}

/* ---- the filter ---- */

static void put_redirect(struct nlmsghdr *request, uint16_t type, int to)
{
	const struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN,
		.eaction = TCA_EGRESS_REDIR,
		.ifindex = (uint32_t)to,
	};
	struct nlattr *actions = mnl_attr_nest_start(request, type);
	struct nlattr *first = mnl_attr_nest_start(request, 1);
	struct nlattr *options;

	mnl_attr_put_strz(request, TCA_ACT_KIND, "mirred");
	mnl_attr_put(request, TCA_ACT_COOKIE, sizeof(COOKIE), COOKIE);
	options = mnl_attr_nest_start(request, TCA_ACT_OPTIONS);
	mnl_attr_put(request, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	mnl_attr_nest_end(request, options);
	mnl_attr_nest_end(request, first);
	mnl_attr_nest_end(request, actions);
}

/* One key whose mask is zero matches every frame. */
static void put_u32_selector(struct nlmsghdr *request)
{
	const struct tc_u32_sel sel = {.flags = TC_U32_TERMINAL, .nkeys = 1};
	char all[sizeof(sel) + sizeof(struct tc_u32_key)] = {0};

	memcpy(all, &sel, sizeof(sel));
	mnl_attr_put(request, TCA_U32_SEL, sizeof(all), all);
}

/* to 0: without an action. */
static int add_filter(struct netlink *nl, int from, const struct classifier *c, int to)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request =
		tc_request(buf, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, from, QDISC_HANDLE);
	struct tcmsg *tc = mnl_nlmsg_get_payload(request);
	struct nlattr *options;

	tc->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(request, TCA_KIND, c->kind);
	options = mnl_attr_nest_start(request, TCA_OPTIONS);
	if (c->actions == TCA_U32_ACT)
		put_u32_selector(request);
	if (to)
		put_redirect(request, c->actions, to);
	mnl_attr_nest_end(request, options);
	return netlink_talk(nl, request, NULL, NULL);
}

static int try_classifiers(struct netlink *nl, int from, int to)
{
	int rc = -ENOENT;

	for (int i = 0; i < N_CLASSIFIERS && rc == -ENOENT; i++)
		rc = add_filter(nl, from, &classifiers[i], to);
	return rc;
}

/* ---- what is there already ---- */

struct found {
	bool is_ours, is_stale;
	uint16_t actions; /* of the filter at hand; 0: of a kind that is never ours */
};

static int look_at_parms(const struct nlattr *attr, void *data)
{
	struct found *f = data;
	struct tc_mirred mirred;

	if (mnl_attr_get_type(attr) != TCA_MIRRED_PARMS ||
	    mnl_attr_get_payload_len(attr) < sizeof(mirred))
		return MNL_CB_OK;
	memcpy(&mirred, mnl_attr_get_payload(attr), sizeof(mirred));
	/* The kernel takes a device away from its actions when it goes. */
	f->is_stale = mirred.ifindex == 0;
	return MNL_CB_OK;
}

static int look_at_action(const struct nlattr *attr, void *data)
{
	struct found *f = data;

	if (mnl_attr_get_type(attr) == TCA_ACT_COOKIE &&
	    mnl_attr_get_payload_len(attr) == sizeof(COOKIE) &&
	    memcmp(mnl_attr_get_payload(attr), COOKIE, sizeof(COOKIE)) == 0)
		f->is_ours = true;
	if (mnl_attr_get_type(attr) == TCA_ACT_OPTIONS)
		return mnl_attr_parse_nested(attr, look_at_parms, f);
	return MNL_CB_OK;
}

static int look_at_actions(const struct nlattr *attr, void *data)
{
	return mnl_attr_parse_nested(attr, look_at_action, data);
}

static int look_at_options(const struct nlattr *attr, void *data)
{
	struct found *f = data;

	if (!f->actions || mnl_attr_get_type(attr) != f->actions)
		return MNL_CB_OK;
	return mnl_attr_parse_nested(attr, look_at_actions, f);
}

/* The kind comes before the options. */
static int look_at_filter(const struct nlattr *attr, void *data)
{
	struct found *f = data;

	if (mnl_attr_get_type(attr) == TCA_KIND) {
		f->actions = 0;
		for (int i = 0; i < N_CLASSIFIERS; i++) {
			if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
			    strcmp(mnl_attr_get_str(attr), classifiers[i].kind) == 0)
				f->actions = classifiers[i].actions;
		}
	}
	if (mnl_attr_get_type(attr) == TCA_OPTIONS)
		return mnl_attr_parse_nested(attr, look_at_options, f);
	return MNL_CB_OK;
}

static int look(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct tcmsg), look_at_filter, data);
}

/* Without an ingress qdisc there is nothing: *ret is empty. */
static int find(struct netlink *nl, int index, struct found *ret)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	int rc = -EINTR;

	for (int i = 0; i < DUMP_ATTEMPTS && rc == -EINTR; i++) {
		*ret = (struct found){0};
		rc = netlink_talk(nl,
				  tc_request(buf, RTM_GETTFILTER, NLM_F_DUMP, index, QDISC_HANDLE),
				  look, ret);
	}
	return rc;
}

/* ---- both ---- */

static int explain_qdisc(int rc, const char *name, struct err *err)
{
	if (rc == -ENOENT)
		return err_set(err, ENOTSUP,
			       "interface '%s' cannot be taken over: the kernel has no ingress "
			       "qdisc (sch_ingress, CONFIG_NET_SCH_INGRESS)",
			       name);
	if (rc == -EOPNOTSUPP)
		return err_set(err, ENOTSUP,
			       "interface '%s' cannot be taken over: the kernel has no traffic "
			       "control (CONFIG_NET_SCHED)",
			       name);
	return err_code(err, -rc, "interface '%s' cannot be taken over: add an ingress qdisc",
			name);
}

/* Which of the two the kernel lacks shows when the one is tried without the other. */
static int explain_filter(struct netlink *nl, int from, int rc, const char *name, struct err *err)
{
	if (rc == -ENOENT && try_classifiers(nl, from, 0) == -ENOENT)
		return err_set(err, ENOTSUP,
			       "interface '%s' cannot be taken over: the kernel has neither "
			       "cls_matchall nor cls_u32 (CONFIG_NET_CLS_MATCHALL, "
			       "CONFIG_NET_CLS_U32)",
			       name);
	if (rc == -ENOENT)
		return err_set(err, ENOTSUP,
			       "interface '%s' cannot be taken over: the kernel has no action that "
			       "redirects (act_mirred, CONFIG_NET_ACT_MIRRED)",
			       name);
	return err_code(err, -rc, "interface '%s' cannot be taken over: add a filter", name);
}

static int add_qdisc_anew(struct netlink *nl, int from, const char *name, struct err *err)
{
	struct found found;
	int rc = add_qdisc(nl, from);

	if (rc != -EEXIST)
		return rc < 0 ? explain_qdisc(rc, name, err) : 0;
	rc = find(nl, from, &found);
	if (rc < 0)
		return explain_qdisc(rc, name, err);
	if (found.is_ours && !found.is_stale)
		return err_set(
			err, EBUSY,
			"interface '%s' cannot be taken over: another virtual machine has it",
			name);
	if (!found.is_ours)
		return err_set(err, EBUSY,
			       "interface '%s' cannot be taken over: it has an ingress qdisc "
			       "already, which is somebody else's",
			       name);
	redirect_remove(nl, from);
	rc = add_qdisc(nl, from);
	return rc < 0 ? explain_qdisc(rc, name, err) : 0;
}

int redirect_add(struct netlink *nl, int from, const char *name, int to, struct err *err)
{
	int rc = add_qdisc_anew(nl, from, name, err);

	if (rc < 0)
		return rc;
	rc = try_classifiers(nl, from, to);
	if (rc < 0) {
		rc = explain_filter(nl, from, rc, name, err);
		redirect_remove(nl, from);
	}
	return rc;
}

int redirect_remove_stale(struct netlink *nl, int from, struct err *err)
{
	struct found found;
	int rc = find(nl, from, &found);

	/* No qdisc, or no traffic control at all. */
	if (rc == -EINVAL || rc == -ENOENT || rc == -EOPNOTSUPP || rc == -ENODEV)
		return 0;
	if (rc < 0)
		return err_code(err, -rc, "look at the filters of interface %d", from);
	if (found.is_ours && found.is_stale)
		redirect_remove(nl, from);
	return 0;
}
