/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces or a virtual machine? Private to runtime/. */
#ifndef HULL_RUNTIME_ISOLATION_H
#define HULL_RUNTIME_ISOLATION_H

#include <stdbool.h>

#include "runtime/spec.h"

#define ISOLATION_ANNOTATION "org.hull.isolation"

/*
 * The first that says something: the annotation org.hull.isolation (namespace or vm), a vm object
 * in config.json, prefers_vm (the program's name), isolation in /etc/hull/hull.json; else namespaces.
 */
int isolation_choose(const struct spec *spec, bool prefers_vm, bool *ret_vm,
		     struct err *err) MUST_CHECK;

#endif
