/*
 * regex.h: JavaScript's regular expressions on PCRE2, bounded.
 *
 * What a pattern means here and in JavaScript is the same, or the pattern is refused. Matching has a
 * step limit (a fraction of a second) and checks for interrupts before each match. regex.c is the only
 * file that includes pcre2.h.
 */
#ifndef WF_BASE_REGEX_H
#define WF_BASE_REGEX_H

#include "postgres.h"

typedef struct WfRegex WfRegex;

/*
 * Compiles an ECMAScript pattern with flags (any of "dgimsuvy"; g, y and d are kept for the caller).
 * NULL when refused: *problem then is a message in CurrentMemoryContext. The regex belongs to
 * CurrentMemoryContext and holds nothing but memory: it goes with its context.
 */
extern WfRegex *wf_regex_compile(const char *pattern, int len, const char *flags, const char **problem);

/* Is it a pattern of JavaScript's, whether or not it can be compiled here? */
extern bool wf_regex_is_valid(const char *pattern, int len, const char *flags);

/*
 * Searches `subject` (UTF-8, `len` bytes) from byte `start`; `anchored` for the y flag. Returns the
 * number of groups + 1 and fills offsets (pairs of byte offsets, -1 for groups that took no part; as
 * many as n_offsets integers hold, which may be none), 0 when there is no match. Without flags u and v an offset may be
 * between the halves of a character beyond the BMP (WF_REGEX_HALF bytes into it), `start` too. Calls that go on in
 * the same subject (start > 0) are cheaper than first ones. Throws WF009 over the step limit.
 */
#define WF_REGEX_HALF	2		/* an offset so far into a character of four bytes is between its surrogates */

extern int	wf_regex_match(const WfRegex *regex, const char *subject, int len, int start, bool anchored,
						   int *offsets, int n_offsets);

/* What the last match has cost, in steps of some 20 ns. */
extern int	wf_regex_cost(const WfRegex *regex);
/* No call will go on in the last subject: what was made of it is given back when it is large. */
extern void wf_regex_rest(const WfRegex *regex);

extern int	wf_regex_group_count(const WfRegex *regex);
/* Name of group i, or NULL. */
extern const char *wf_regex_group_name(const WfRegex *regex, int i);

#endif
