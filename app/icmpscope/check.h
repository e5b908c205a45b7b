/* --check: whether the settings are right, said in one line, with nothing started. */
#ifndef ICMPSCOPE_CHECK_H
#define ICMPSCOPE_CHECK_H

#include "args.h"

/* The exit status: what is wrong was said by args_parse() and is 2, so this is 0 unless stdout takes no line. */
int check_say(const struct args *a);

#endif
