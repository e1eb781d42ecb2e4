/*
 * path.c: patterns of paths, and the paths of requests.
 */
#include "postgres.h"

#include "base/json.h"
#include "hook/internal.h"
#include "hook/path.h"

#define SEGMENTS_SIZE(n) (offsetof(WfHookPath, segments) + (n) * sizeof(WfHookSegment))

/* -- patterns -- */

static bool
name_is_valid(const char *name, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') || name[i] == '_' ||
			  (i > 0 && name[i] >= '0' && name[i] <= '9')))
			return false;
	return bytes > 0;
}

/* What is wrong with a parameter, whose name stands behind `known`; NULL: nothing. */
static const char *
parameter_problem(const WfHookPath *known, const char *name, size_t bytes)
{
	if (bytes > WF_HOOK_NAME_BYTES)
		return psprintf("the name of a parameter has more than %d bytes", WF_HOOK_NAME_BYTES);
	if (!name_is_valid(name, bytes))
		return psprintf("\"%.*s\" is no name of a parameter: letters, digits and underscores, not beginning with a digit",
						(int) bytes, name);
	for (int i = 0; i < known->n; i++)
		if (known->segments[i].is_parameter && known->segments[i].bytes == (int) bytes &&
			memcmp(known->segments[i].text, name, bytes) == 0)
			return psprintf("parameter \"%.*s\" is there twice", (int) bytes, name);
	return NULL;
}

/* What is wrong with a literal segment; NULL: nothing. */
static const char *
literal_problem(const char *text, size_t bytes)
{
	if (bytes == 0)
		return "a segment is empty; a path has no slash at its end, and none behind another";
	if (wf_hook_is_dots(text, bytes))
		return "a segment is \".\" or \"..\"";
	if (memchr(text, '{', bytes) != NULL || memchr(text, '}', bytes) != NULL)
		return "a parameter is a whole segment: /orders/{id}";
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char) text[i] <= ' ' || text[i] == 0x7F || strchr("%?#\\", text[i]) != NULL)
			return "white space, control characters, \"%\", \"?\", \"#\" and \"\\\" cannot stand in a path";
	return NULL;
}

static const char *
add_segment(WfHookPath *path, const char *text, size_t bytes)
{
	bool		is_parameter = bytes >= 2 && text[0] == '{' && text[bytes - 1] == '}';
	const char *problem;

	if (is_parameter)
	{
		text++;
		bytes -= 2;
	}
	if (path->n == WF_HOOK_SEGMENTS)
		return psprintf("a path has at most %d segments", WF_HOOK_SEGMENTS);
	problem = is_parameter ? parameter_problem(path, text, bytes) : literal_problem(text, bytes);
	if (problem != NULL)
		return problem;
	path->segments[path->n++] = (WfHookSegment) {
		.text = pnstrdup(text, bytes), .bytes = (int) bytes, .is_parameter = is_parameter,
	};
	return NULL;
}

WfHookPath *
wf_hook_path_parse(const char *pattern, const char **problem)
{
	WfHookPath *path = palloc0(SEGMENTS_SIZE(WF_HOOK_SEGMENTS));

	*problem = NULL;
	if (pattern[0] != '/')
		*problem = "a path begins with a slash";
	else if (strlen(pattern) > WF_HOOK_PATTERN_BYTES)
		*problem = psprintf("a path has at most %d bytes", WF_HOOK_PATTERN_BYTES);
	if (*problem != NULL)
		return NULL;
	if (pattern[1] == '\0')
		return path;
	while (*pattern == '/')
	{
		size_t		bytes = strcspn(++pattern, "/");

		*problem = add_segment(path, pattern, bytes);
		if (*problem != NULL)
			return NULL;
		pattern += bytes;
	}
	return path;
}

char *
wf_hook_path_canonical(const WfHookPath *pattern)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < pattern->n; i++)
		appendStringInfo(&out, "/%s", pattern->segments[i].is_parameter ? "{}" : pattern->segments[i].text);
	if (pattern->n == 0)
		appendStringInfoChar(&out, '/');
	return out.data;
}

char *
wf_hook_path_rank(const WfHookPath *pattern)
{
	char	   *rank = palloc(pattern->n + 1);

	for (int i = 0; i < pattern->n; i++)
		rank[i] = pattern->segments[i].is_parameter ? '1' : '0';
	rank[pattern->n] = '\0';
	return rank;
}

int
wf_hook_path_compare(const WfHookPath *a, const WfHookPath *b)
{
	for (int i = 0; i < Min(a->n, b->n); i++)
		if (a->segments[i].is_parameter != b->segments[i].is_parameter)
			return a->segments[i].is_parameter ? 1 : -1;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (int i = 0; i < a->n; i++)
	{
		int			order = a->segments[i].is_parameter ? 0 : strcmp(a->segments[i].text, b->segments[i].text);

		if (order != 0)
			return order;
	}
	return 0;
}

/* -- requests -- */

/* One segment, decoded; false when it can match nothing. */
static bool
read_segment(const char *text, size_t bytes, WfHookSegment *out)
{
	char	   *decoded = palloc(bytes + 1);
	size_t		n;

	if (memchr(text, '?', bytes) != NULL || memchr(text, '#', bytes) != NULL ||
		!wf_hook_percent_decode(text, bytes, false, decoded, &n) || n == 0 || wf_hook_is_dots(decoded, n) ||
		!wf_hook_is_text(decoded, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char) decoded[i] < ' ' || decoded[i] == 0x7F)
			return false;
	decoded[n] = '\0';
	out->text = decoded;
	out->bytes = (int) n;
	out->is_parameter = false;
	return true;
}

WfHookPath *
wf_hook_request_path(const char *path, size_t bytes)
{
	const char *end = path + bytes;
	WfHookPath *request;

	if (bytes == 0 || bytes > WF_HOOK_PATH_BYTES || path[0] != '/')
		return NULL;
	request = palloc0(SEGMENTS_SIZE(WF_HOOK_SEGMENTS));
	for (const char *at = path + 1; at < end;)
	{
		const char *slash = memchr(at, '/', end - at);
		size_t		n = (slash == NULL ? end : slash) - at;

		if (request->n == WF_HOOK_SEGMENTS || !read_segment(at, n, &request->segments[request->n]))
			return NULL;
		request->n++;
		at += n + 1;
	}
	return request;
}

bool
wf_hook_path_match(const WfHookPath *pattern, const WfHookPath *request, int from, Jsonb **params)
{
	WfJsonWriter *w;

	if (from < 0 || request->n - from != pattern->n)
		return false;
	for (int i = 0; i < pattern->n; i++)
	{
		const WfHookSegment *wanted = &pattern->segments[i];
		const WfHookSegment *given = &request->segments[from + i];

		if (!wanted->is_parameter && (wanted->bytes != given->bytes || memcmp(wanted->text, given->text, given->bytes) != 0))
			return false;
	}
	if (params == NULL)
		return true;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	for (int i = 0; i < pattern->n; i++)
	{
		if (!pattern->segments[i].is_parameter)
			continue;
		wf_json_key(w, pattern->segments[i].text, pattern->segments[i].bytes);
		wf_json_put_string(w, request->segments[from + i].text, request->segments[from + i].bytes);
	}
	wf_json_end_object(w);
	*params = wf_json_finish(w);
	return true;
}
