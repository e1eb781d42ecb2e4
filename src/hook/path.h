/*
 * path.h: which trigger a request's path belongs to.
 *
 * 1. A pattern is parsed when a version is saved: `/orders/{id}`. What is wrong with it is a message.
 * 2. Patterns that match the same paths have the same canonical form, `/orders/{}`: that is what must be unique.
 * 3. The path of a request is taken apart once (wf_hook_request_path) and compared with as many patterns as there are.
 * 4. Of those that match, the one with the least rank is meant: a literal segment goes before a parameter, from the left.
 *
 * A pattern is written as it reads, not percent-encoded; a request's segments are decoded one by one, after the path was cut
 * at its slashes, so that %2F is a slash within a segment and none between two. One slash at the end of a request's path
 * does not count. Case does. Nothing here throws but for memory.
 */
#ifndef WF_HOOK_PATH_H
#define WF_HOOK_PATH_H

#include "postgres.h"
#include "utils/jsonb.h"

#define WF_HOOK_PATTERN_BYTES 1024
#define WF_HOOK_NAME_BYTES 64	/* of a parameter */
#define WF_HOOK_SEGMENTS 32
#define WF_HOOK_PATH_BYTES 8192	/* of a request, as it came */

typedef struct WfHookSegment
{
	const char *text;			/* ended by a NUL */
	int			bytes;
	bool		is_parameter;	/* the text is its name; in patterns only */
} WfHookSegment;

/* A pattern, or the path of a request; never changes. */
typedef struct WfHookPath
{
	int			n;
	WfHookSegment segments[FLEXIBLE_ARRAY_MEMBER];
} WfHookPath;

/* In CurrentMemoryContext; NULL, with *problem a message, when it is no pattern. */
extern WfHookPath *wf_hook_path_parse(const char *pattern, const char **problem);
/* `/orders/{}`; `/` when there is no segment. */
extern char *wf_hook_path_canonical(const WfHookPath *pattern);
/* A digit for each segment, 0 for a literal and 1 for a parameter: of patterns that match one path, the one that is meant
 * sorts first (COLLATE "C"). */
extern char *wf_hook_path_rank(const WfHookPath *pattern);
/* Less than 0: `a` goes before `b`; 0 when their canonical forms are the same. A total order. */
extern int	wf_hook_path_compare(const WfHookPath *a, const WfHookPath *b);

/* The path of a request, without its query, decoded. NULL when it can match nothing: it does not begin with a slash, is too
 * long, has empty segments, `.` or `..` (as they are or encoded), bytes that are no text of this database, control
 * characters, `?` or `#`, or a % that is no encoding. */
extern WfHookPath *wf_hook_request_path(const char *path, size_t bytes);
/* Do the request's segments from `from` on match? Then *params, unless that is NULL, is {name: text} in CurrentMemoryContext. */
extern bool wf_hook_path_match(const WfHookPath *pattern, const WfHookPath *request, int from, Jsonb **params);

#endif
