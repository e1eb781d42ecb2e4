/*
 * regex.h: JavaScript's regular expressions on PCRE2, bounded.
 *
 * What a pattern means here and in JavaScript is the same, or the pattern is refused. Matching has a
 * step limit and checks for interrupts. The only file pair that includes pcre2.h.
 */
#ifndef WF_BASE_REGEX_H
#define WF_BASE_REGEX_H

#include "postgres.h"

typedef struct WfRegex WfRegex;

/*
 * Compiles an ECMAScript pattern with flags (any of "dgimsuvy"; g, y and d are kept for the caller).
 * NULL when refused: *problem then is a message in CurrentMemoryContext. The regex belongs to
 * CurrentMemoryContext (freed by a reset callback).
 */
extern WfRegex *wf_regex_compile(const char *pattern, int len, const char *flags, const char **problem);

/*
 * Searches `subject` (UTF-8, `len` bytes) from byte `start`; `anchored` for the y flag. Returns the
 * number of groups + 1 and fills offsets (pairs of byte offsets, -1 for groups that took no part), 0
 * when there is no match. Throws WF009 over the step limit.
 */
extern int	wf_regex_match(const WfRegex *regex, const char *subject, int len, int start, bool anchored,
						   int *offsets, int n_offsets);

extern int	wf_regex_group_count(const WfRegex *regex);
/* Name of group i, or NULL. */
extern const char *wf_regex_group_name(const WfRegex *regex, int i);

#endif
