/*
 * http_page.c: reading all pages of a list: `pagination` of http.request.
 *
 * 1. Each page is a request of its own: the block waits for its answer, then asks for the next. Its state holds the
 *    request that is under way, what `pagination` was evaluated to, and the items so far; it is written whole each time.
 * 2. What comes next: link, the header Link with rel="next"; cursor, what stands at cursorPath in the body, as `param` or,
 *    without one, as an address; page and offset, numbers that grow until a page has no items, or fewer than `size`.
 * 3. An address that an answer gives must lead to the host of the first request: `auth` and headers go with it.
 * 4. After maxPages the list ends, complete or not; the output's `pages` tells.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/http.h"
#include "block/saved.h"
#include "common/int.h"

#define DEFAULT_PAGES 100
#define MOST_PAGES 10000
#define PARAM_BYTES 255

typedef struct PageState
{
	JsonbValue	pagination;		/* evaluated */
	Jsonb	   *request;		/* that is under way */
	int64		page;			/* its number, from 1 */
	int64		position;		/* page, offset: the value of `param` in it */
	const char *cursor;			/* cursor: the one in it, or NULL */
	Jsonb	   *items;			/* of the pages before it */
	int64		attempts;		/* of the pages before it */
	double		duration_ms;
} PageState;

/* -- the config -- */

static const char *
page_type(const JsonbValue *pagination)
{
	return wf_json_get_cstring(pagination, "type");
}

static bool
is_type(const JsonbValue *pagination, const char *type)
{
	return page_type(pagination) != NULL && strcmp(page_type(pagination), type) == 0;
}

/* Does this type count something, rather than follow what an answer says? */
static bool
is_counted(const JsonbValue *pagination)
{
	return is_type(pagination, "page") || is_type(pagination, "offset");
}

static void
check_text(WfReading *r, const JsonbValue *pagination, const char *key)
{
	const char *where = psprintf("pagination.%s", key);
	JsonbValue	value;
	char	   *text;

	if (!wf_block_request_member(r, pagination, key, &value))
		return;
	text = wf_block_request_line(r, &value, where, r->step != NULL);
	if (text != NULL && strlen(text) > PARAM_BYTES)
		wf_block_request_wrong(r, where, NULL, "\"%s\" must have at most %d bytes, not %zu", where, PARAM_BYTES, strlen(text));
}

static void
check_number(WfReading *r, const JsonbValue *pagination, const char *key, int64 most)
{
	JsonbValue	value;
	int64		number;

	if (r->step != NULL && wf_block_request_member(r, pagination, key, &value) &&
		(!wf_json_int64(&value, &number) || number < 1 || number > most))
		wf_block_request_wrong(r, psprintf("pagination.%s", key), NULL,
							   "\"pagination.%s\" must be an integer between 1 and " INT64_FORMAT, key, most);
}

static void
check_members(WfReading *r, const JsonbValue *pagination)
{
	JsonbValue	value;

	if (r->step != NULL && !is_counted(pagination) && !is_type(pagination, "cursor") && !is_type(pagination, "link"))
		wf_block_request_wrong(r, "pagination.type", NULL, "\"pagination.type\" must be link, cursor, page or offset");
	check_text(r, pagination, "param");
	check_text(r, pagination, "cursorPath");
	check_text(r, pagination, "itemsPath");
	check_number(r, pagination, "size", PG_INT32_MAX);
	check_number(r, pagination, "maxPages", MOST_PAGES);
	if (is_type(pagination, "cursor") && !wf_json_field(pagination, "cursorPath", &value))
		wf_block_request_wrong(r, "pagination", NULL, "\"pagination\" of type \"cursor\" needs \"cursorPath\"");
}

void
wf_block_page_check(WfReading *r)
{
	const char *answer = wf_block_fixed_string(r->node, "responseType", "auto");
	JsonbValue	pagination;

	if (!wf_block_request_field(r, "pagination", &pagination) || !wf_json_is_object(&pagination))
		return;
	if (!wf_block_request_is_awaited(r->node))
		wf_block_request_wrong(r, "pagination", NULL, "\"pagination\" needs the answers: leave out \"await\"");
	if (strcmp(answer, "text") == 0 || strcmp(answer, "binary") == 0 || strcmp(answer, "none") == 0)
		wf_block_request_wrong(r, "pagination", NULL, "\"pagination\" needs answers in JSON, not of responseType \"%s\"", answer);
	check_members(r, &pagination);
}

/* -- requests -- */

/* The request with another url and query (NULL: none), or with `param` set in its query. */
static Jsonb *
change_request(const JsonbValue *request, const char *url, const char *param, const char *text)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;
	JsonbValue	query;
	bool		has_query = wf_json_field(request, "query", &query);

	wf_json_begin_object(w);
	wf_json_iter_begin(&it, request);
	while (wf_json_iter_next(&it, &key, &value))
	{
		wf_json_key(w, key.val.string.val, key.val.string.len);
		wf_json_put(w, &value);
	}
	/* of equal keys the last wins */
	if (url != NULL)
	{
		wf_json_put_field_cstring(w, "url", url);
		wf_json_key(w, "query", 5);
		wf_json_begin_object(w);
		wf_json_end_object(w);
	}
	else
	{
		wf_json_key(w, "query", 5);
		wf_json_begin_object(w);
		wf_json_iter_begin(&it, &query);
		while (has_query && wf_json_iter_next(&it, &key, &value))
		{
			wf_json_key(w, key.val.string.val, key.val.string.len);
			wf_json_put(w, &value);
		}
		wf_json_put_field_cstring(w, param, text);
		wf_json_end_object(w);
	}
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static const char *
param_of(const JsonbValue *pagination)
{
	const char *param = wf_json_get_cstring(pagination, "param");

	if (param != NULL || !is_counted(pagination))
		return param;
	return is_type(pagination, "page") ? "page" : "offset";
}

static int64
first_position(const JsonbValue *pagination, const JsonbValue *request)
{
	const char *param = param_of(pagination);
	int64		otherwise = is_type(pagination, "page") ? 1 : 0;
	int64		position;
	JsonbValue	query;
	char	   *text;
	char	   *end;

	if (!wf_json_field(request, "query", &query) || (text = wf_json_get_cstring(&query, param)) == NULL)
		return otherwise;
	errno = 0;
	position = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"query.%s\", where the pages begin, must be an integer, not %s", wf_text_clip(param),
							   wf_text_clip(text))));
	return position;
}

static Jsonb *
empty_array(void)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_array(w);
	wf_json_end_array(w);
	return wf_json_finish(w);
}

Jsonb *
wf_block_page_begin(WfStep *step, Jsonb *request)
{
	WfReading	r = {.node = step->node, .step = step};
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	PageState  *state;
	JsonbValue	pagination;
	JsonbValue	root;

	if (wf_block_request_field(&r, "pagination", &pagination))
	{
		if (!wf_json_is_object(&pagination))
			wf_block_request_wrong_type(&r, "pagination", "an object", &pagination);
		check_members(&r, &pagination);
		state = palloc0(sizeof(PageState));
		wf_block_keep(&pagination, &state->pagination);
		state->page = 1;
		state->items = empty_array();
		wf_json_root(request, &root);
		if (is_counted(&pagination))
		{
			state->position = first_position(&pagination, &root);
			request = change_request(&root, NULL, param_of(&pagination), psprintf(INT64_FORMAT, state->position));
			wf_json_root(request, &root);
		}
		state->request = wf_json_copy(&root);
		step->state = state;
	}
	MemoryContextSwitchTo(old);
	return request;
}

/* -- answers -- */

static void
fail(const PageState *state, const char *hint, const char *message)
{
	ereport(ERROR, (errcode(WF_ERRCODE_REQUEST_FAILED),
					errmsg("page " INT64_FORMAT " cannot be read: %s", state->page, message),
					hint == NULL ? 0 : errhint("%s", hint)));
}

/* What stands at `a.b.0.c`; false when nothing does. */
static bool
at_path(const JsonbValue *value, const char *path, JsonbValue *out)
{
	*out = *value;
	while (*path != '\0')
	{
		int			len = strcspn(path, ".");
		JsonbValue	whole = *out;

		if (wf_json_is_array(&whole))
		{
			if ((int) strspn(path, "0123456789") != len || len == 0 || len > 9 ||
				!wf_json_element(&whole, (uint32) atoi(path), out))
				return false;
		}
		else if (!wf_json_get(&whole, path, len, out))
			return false;
		path += len;
		if (*path == '.')
			path++;
	}
	return true;
}

/* The items of an answer; null counts as none. */
static void
items_of(const PageState *state, const JsonbValue *answer, WfItems *out)
{
	const char *path = wf_json_get_cstring(&state->pagination, "itemsPath");
	JsonbValue	body;
	JsonbValue	items;

	memset(out, 0, sizeof(*out));
	if (!wf_json_field(answer, "body", &body) || body.type == jbvNull)
		return;
	if (path == NULL && !wf_json_is_array(&body))
		fail(state, "Give its place as \"itemsPath\".", psprintf("its body is no list, but %s", wf_json_type_name(&body)));
	if (!at_path(&body, path == NULL ? "" : path, &items))
		fail(state, NULL, psprintf("its body has nothing at \"%s\"", wf_text_clip(path)));
	if (items.type == jbvNull)
		return;
	if (!wf_json_is_array(&items))
		fail(state, NULL, psprintf("what its body has at \"%s\" is no list, but %s", wf_text_clip(path),
								   wf_json_type_name(&items)));
	wf_block_items_of(&items, out);
}

static void
add_items(WfStep *step, PageState *state, const WfItems *items)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfJsonIter	it;
	JsonbValue	before;
	JsonbValue	key;
	JsonbValue	value;

	wf_json_root(state->items, &before);
	wf_json_begin_array(w);
	wf_json_iter_begin(&it, &before);
	while (wf_json_iter_next(&it, &key, &value))
		wf_json_put(w, &value);
	for (int i = 0; i < items->n; i++)
		wf_json_put(w, &items->values[i]);
	wf_json_end_array(w);
	state->items = wf_json_finish(w);
	wf_block_check_size(step, VARSIZE(state->items));
}

/* -- links -- */

static char *
next_link(const JsonbValue *answer)
{
	JsonbValue	headers;
	JsonbValue	link;
	WfItems		items;
	char	   *next = NULL;

	if (!wf_json_field(answer, "headers", &headers) || !wf_json_field(&headers, "link", &link))
		return NULL;
	if (wf_json_is_string(&link))
		return wf_block_link_next(wf_json_cstring(&link));
	if (!wf_json_is_array(&link))
		return NULL;
	wf_block_items_of(&link, &items);
	for (int i = 0; i < items.n && next == NULL; i++)
	{
		if (wf_json_is_string(&items.values[i]))
			next = wf_block_link_next(wf_json_cstring(&items.values[i]));
	}
	return next;
}

/* The request for what a link in an answer leads to; NULL when it leads nowhere. */
static Jsonb *
follow(PageState *state, const JsonbValue *answer, const char *link)
{
	JsonbValue	request;
	const char *nonce;
	const char *from;
	const char *base;
	const char *problem;
	const char *hint;
	char	   *to;

	wf_json_root(state->request, &request);
	from = wf_json_get_cstring(&request, "url");
	nonce = wf_json_get_cstring(&request, "nonce");
	base = nonce == NULL ? wf_json_get_cstring(answer, "url") : NULL;
	if (base == NULL || !wf_block_address_same_host(from, base))
		base = from;
	to = wf_block_address_resolve(base, link);
	if (to == NULL)
		return NULL;
	problem = wf_block_address_problem(to, nonce, &hint);
	if (problem != NULL)
		fail(state, NULL, psprintf("the address of the next one %s", problem));
	if (!wf_block_address_same_host(from, to))
		fail(state, "What the request says of who is asking is not told to another host.", "the next one is at another host");
	to = wf_block_address_encode(to, nonce);
	if (strcmp(to, from) == 0)
		fail(state, NULL, "it says that it is the next one itself");
	return change_request(&request, to, NULL, NULL);
}

/* -- what comes next -- */

static Jsonb *
next_cursor(PageState *state, const JsonbValue *answer)
{
	const char *path = wf_json_get_cstring(&state->pagination, "cursorPath");
	const char *param = param_of(&state->pagination);
	JsonbValue	request;
	JsonbValue	body;
	JsonbValue	cursor;
	char	   *text;

	if (path == NULL || !wf_json_field(answer, "body", &body) || !at_path(&body, path, &cursor) || cursor.type == jbvNull ||
		(cursor.type == jbvBool && !cursor.val.boolean))
		return NULL;
	if (!wf_json_is_string(&cursor) && cursor.type != jbvNumeric)
		fail(state, NULL, psprintf("the cursor at \"%s\" is %s", wf_text_clip(path), wf_json_type_name(&cursor)));
	text = wf_json_is_string(&cursor) ? wf_json_cstring(&cursor) : wf_json_text(&cursor);
	if (text[0] == '\0')
		return NULL;
	if (param == NULL)
		return follow(state, answer, text);
	if (state->cursor != NULL && strcmp(state->cursor, text) == 0)
		fail(state, NULL, "its cursor is the one that it was asked for with");
	state->cursor = text;
	wf_json_root(state->request, &request);
	return change_request(&request, NULL, param, text);
}

static Jsonb *
next_counted(PageState *state, int n_items)
{
	int64		size = 0;
	int64		by = is_type(&state->pagination, "page") ? 1 : n_items;
	JsonbValue	request;
	JsonbValue	value;

	if (wf_json_field(&state->pagination, "size", &value))
		(void) wf_json_int64(&value, &size);
	if (n_items == 0 || n_items < size || pg_add_s64_overflow(state->position, by, &state->position))
		return NULL;
	wf_json_root(state->request, &request);
	return change_request(&request, NULL, param_of(&state->pagination), psprintf(INT64_FORMAT, state->position));
}

static Jsonb *
next_request(PageState *state, const JsonbValue *answer, int n_items)
{
	int64		most = DEFAULT_PAGES;
	JsonbValue	value;
	char	   *link;

	if (wf_json_field(&state->pagination, "maxPages", &value))
		(void) wf_json_int64(&value, &most);
	if (state->page >= most)
		return NULL;
	if (is_counted(&state->pagination))
		return next_counted(state, n_items);
	if (is_type(&state->pagination, "cursor"))
		return next_cursor(state, answer);
	link = next_link(answer);
	return link == NULL ? NULL : follow(state, answer, link);
}

/* The last answer, with what is of all pages. */
static Jsonb *
page_output(const PageState *state, const JsonbValue *answer)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	wf_json_begin_object(w);
	wf_json_iter_begin(&it, answer);
	while (wf_json_iter_next(&it, &key, &value))
	{
		wf_json_key(w, key.val.string.val, key.val.string.len);
		wf_json_put(w, &value);
	}
	wf_json_put_field_int64(w, "attempts", state->attempts);
	wf_json_put_field_int64(w, "durationMs", (int64) state->duration_ms);
	wf_json_key(w, "items", 5);
	wf_json_put_jsonb(w, state->items);
	wf_json_put_field_int64(w, "pages", state->page);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void
count_answer(PageState *state, const JsonbValue *answer)
{
	int64		attempts;
	double		duration;
	JsonbValue	value;

	if (wf_json_field(answer, "attempts", &value) && wf_json_int64(&value, &attempts))
		state->attempts += attempts;
	if (wf_json_field(answer, "durationMs", &value) && wf_json_double(&value, &duration) && duration >= 0 && duration < 1e15)
		state->duration_ms += duration;
}

WfOutcome
wf_block_page_next(WfStep *step, const WfReply *reply)
{
	PageState  *state = step->state;
	MemoryContext old;
	WfItems		items;
	Jsonb	   *request;

	if (reply->failed)
		return wf_block_fail(wf_block_keep_error(reply->error));
	if (!wf_json_is_object(&reply->output))
		fail(state, NULL, "there is no answer");
	old = MemoryContextSwitchTo(step->state_memory);
	count_answer(state, &reply->output);
	items_of(state, &reply->output, &items);
	add_items(step, state, &items);
	request = next_request(state, &reply->output, items.n);
	if (request != NULL)
	{
		state->request = request;
		state->page++;
	}
	MemoryContextSwitchTo(old);
	if (request != NULL)
		return wf_block_request_wait(step, request);
	return wf_block_done(0, page_output(state, &reply->output));
}

/* -- the state -- */

Jsonb *
wf_block_page_save(WfStep *step)
{
	const PageState *state = step->state;
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field(w, "pagination", &state->pagination);
	wf_json_key(w, "request", 7);
	wf_json_put_jsonb(w, state->request);
	wf_json_put_field_int64(w, "page", state->page);
	wf_json_put_field_int64(w, "position", state->position);
	if (state->cursor != NULL)
		wf_json_put_field_cstring(w, "cursor", state->cursor);
	wf_json_key(w, "items", 5);
	wf_json_put_jsonb(w, state->items);
	wf_json_put_field_int64(w, "attempts", state->attempts);
	wf_json_put_field_int64(w, "durationMs", (int64) state->duration_ms);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

void *
wf_block_page_load(WfStep *step, const JsonbValue *saved)
{
	PageState  *state = palloc0(sizeof(PageState));
	JsonbValue	value;

	if (!wf_json_field(saved, "pagination", &value) || page_type(&value) == NULL)
		wf_block_saved_refuse(step->node, "\"pagination\" is missing");
	wf_block_keep(&value, &state->pagination);
	if (!wf_json_field(saved, "request", &value) || wf_json_get_cstring(&value, "url") == NULL)
		wf_block_saved_refuse(step->node, "\"request\" is missing");
	state->request = wf_json_copy(&value);
	if (!wf_json_field(saved, "items", &value) || !wf_json_is_array(&value))
		wf_block_saved_refuse(step->node, "\"items\" is missing");
	state->items = wf_json_copy(&value);
	state->page = wf_block_saved_need_int(step->node, saved, "page");
	state->position = wf_block_saved_int(saved, "position", 0);
	state->cursor = wf_json_get_cstring(saved, "cursor");
	state->attempts = wf_block_saved_int(saved, "attempts", 0);
	state->duration_ms = (double) wf_block_saved_int(saved, "durationMs", 0);
	return state;
}
