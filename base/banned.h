/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C library functions that hull does not use, as compile errors. The compiler includes this file
 * before everything else (-include in the Makefile), so no source file can forget it. The system
 * headers that declare the functions come first, because a function-like macro would break their
 * declarations; #pragma GCC poison would break the inline functions of those headers as well.
 * Instead: mem_xprintf, buf_addf and snprintf write strings, base/parse.h reads numbers, strsep
 * splits, mem_x* allocate.
 */
#ifndef HULL_BASE_BANNED_H
#define HULL_BASE_BANNED_H

#include <alloca.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define HULL_BANNED(f) banned_function_##f##_see_base_banned_h

#undef strcpy
#undef strcat
#undef strtok
#undef strtok_r
#undef sprintf
#undef vsprintf
#undef sscanf
#undef vsscanf
#undef gets
#undef alloca
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef strtol
#undef strtoll
#undef strtoul
#undef strtoull
#undef strtoimax
#undef strtoumax

#define strcpy(...)    HULL_BANNED(strcpy)
#define strcat(...)    HULL_BANNED(strcat)
#define strtok(...)    HULL_BANNED(strtok)
#define strtok_r(...)  HULL_BANNED(strtok_r)
#define sprintf(...)   HULL_BANNED(sprintf)
#define vsprintf(...)  HULL_BANNED(vsprintf)
#define sscanf(...)    HULL_BANNED(sscanf)
#define vsscanf(...)   HULL_BANNED(vsscanf)
#define gets(...)      HULL_BANNED(gets)
#define alloca(...)    HULL_BANNED(alloca)
#define atoi(...)      HULL_BANNED(atoi)
#define atol(...)      HULL_BANNED(atol)
#define atoll(...)     HULL_BANNED(atoll)
#define atof(...)      HULL_BANNED(atof)
#define strtol(...)    HULL_BANNED(strtol)
#define strtoll(...)   HULL_BANNED(strtoll)
#define strtoul(...)   HULL_BANNED(strtoul)
#define strtoull(...)  HULL_BANNED(strtoull)
#define strtoimax(...) HULL_BANNED(strtoimax)
#define strtoumax(...) HULL_BANNED(strtoumax)

#endif
