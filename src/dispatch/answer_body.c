/*
 * answer_body.c: what a server sent, as values of this database.
 *
 * Nothing that comes is trusted to be what it says: text may hold bytes of no encoding, JSON may be none, or nested a million
 * times. Bytes that no text can have become U+FFFD; what a value can't hold is an answer that is too large.
 */
#include "postgres.h"

#include "dispatch/answer.h"
#include "dispatch/making.h"
#include "mb/pg_wchar.h"

#define REPLACEMENT "\xEF\xBF\xBD"	/* U+FFFD */
#define BOM "\xEF\xBB\xBF"

/* -- text -- */

/* The characters of windows-1252 from 0x80 to 0x9F, which is what servers mean by ISO 8859-1; 0: none. */
static const uint16 windows_1252[32] = {
	0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
	0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
};

/* One byte of ISO 8859-1, which is no ASCII, as UTF-8. */
static void
put_latin(WfBuffer *out, unsigned char c)
{
	unsigned char utf8[4];
	uint32		code = c < 0xA0 ? windows_1252[c - 0x80] : c;

	unicode_to_utf8(code == 0 ? 0xFFFD : code, utf8);
	wf_buffer_put(out, (char *) utf8, pg_utf_mblen(utf8));
}

/* Bytes that are not all valid UTF-8, made so. */
static char *
repaired(const char *bytes, size_t n, bool is_latin, size_t *out_bytes)
{
	WfBuffer   *out = wf_buffer_make(n + n / 8);
	const unsigned char *end = (const unsigned char *) bytes + n;
	const unsigned char *from = (const unsigned char *) bytes;
	const unsigned char *at = from;

	while (at < end)
	{
		int			len = pg_utf_mblen(at);

		if (*at != '\0' && (*at < 0x80 || (!is_latin && len <= end - at && pg_utf8_islegal(at, len))))
		{
			at += len;
			continue;
		}
		wf_buffer_put(out, (const char *) from, at - from);
		if (is_latin && *at != '\0')
			put_latin(out, *at);
		else
			wf_buffer_put(out, REPLACEMENT, 3);
		from = ++at;
	}
	wf_buffer_put(out, (const char *) from, at - from);
	*out_bytes = out->bytes;
	return out->data;
}

/* Of a database in another encoding, only ASCII is sure to be a text; requests are not sent from one (making.c). */
static void
keep_ascii(char *text, size_t bytes)
{
	for (size_t i = 0; GetDatabaseEncoding() != PG_UTF8 && i < bytes; i++)
		if (IS_HIGHBIT_SET(text[i]))
			text[i] = '?';
}

static bool
is_utf8(const char *bytes, size_t n)
{
	return pg_encoding_verifymbstr(PG_UTF8, bytes, n) == n;
}

char *
wf_answer_text(const char *bytes, size_t n, const char *charset, size_t *out_bytes)
{
	static const char *const latin[] = {"iso-8859-1", "iso8859-1", "latin1", "latin-1", "windows-1252", "cp1252"};
	bool		is_latin = false;
	char	   *text;

	for (int i = 0; i < lengthof(latin) && charset != NULL; i++)
		is_latin |= pg_strcasecmp(latin[i], charset) == 0;
	if (!is_latin && n >= 3 && memcmp(bytes, BOM, 3) == 0)
	{
		bytes += 3;
		n -= 3;
	}
	if (!is_latin && is_utf8(bytes, n))
	{
		text = palloc(n + 1);
		memcpy(text, bytes, n);
		text[n] = '\0';
		*out_bytes = n;
	}
	else
		text = repaired(bytes, n, is_latin, out_bytes);
	keep_ascii(text, *out_bytes);
	return text;
}

char *
wf_answer_header_text(const char *value)
{
	size_t		bytes = strlen(value);

	return wf_answer_text(value, bytes, is_utf8(value, bytes) ? NULL : "iso-8859-1", &bytes);
}

/* -- content types -- */

/* `type/subtype` in small letters. */
static char *
media_type(const char *content_type)
{
	char	   *type = pnstrdup(content_type, strcspn(content_type, "; \t"));

	for (char *c = type; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return type;
}

char *
wf_answer_charset(const char *content_type)
{
	const char *at = content_type == NULL ? NULL : strchr(content_type, ';');

	for (; at != NULL; at = strchr(at, ';'))
	{
		at += 1 + strspn(at + 1, " \t");
		if (pg_strncasecmp(at, "charset=", 8) == 0)
		{
			at += 8 + (at[8] == '"');
			return pnstrdup(at, strcspn(at, "\"; \t"));
		}
	}
	return NULL;
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) > strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static bool
is_json_type(const char *type)
{
	return strcmp(type, "application/json") == 0 || strcmp(type, "text/json") == 0 || ends_with(type, "+json");
}

static bool
is_text_type(const char *type)
{
	static const char *const types[] = {
		"application/ecmascript", "application/graphql", "application/javascript", "application/json-seq",
		"application/jsonl", "application/ndjson", "application/sql", "application/toml", "application/x-javascript",
		"application/x-ndjson", "application/x-www-form-urlencoded", "application/x-yaml", "application/xml",
		"application/yaml",
	};

	for (int i = 0; i < lengthof(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return strncmp(type, "text/", 5) == 0 || ends_with(type, "+xml") || ends_with(type, "+yaml");
}

/* -- JSON -- */

/* The four digits behind \u; -1 when there are none. */
static int
unit_at(const char *text)
{
	int			unit = 0;

	if (text[0] != '\\' || text[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++)
	{
		const char *digits = "0123456789abcdef";
		const char *digit = text[i] == '\0' ? NULL : strchr(digits, pg_ascii_tolower((unsigned char) text[i]));

		if (digit == NULL)
			return -1;
		unit = unit * 16 + (int) (digit - digits);
	}
	return unit;
}

/* Writes \ufffd over escapes that JSON may have and jsonb may not: \u0000, and halves of surrogate pairs. True: there were some. */
static bool
repair_escapes(char *text)
{
	bool		found = false;

	for (char *at = text; *at != '\0'; at++)
	{
		int			unit = unit_at(at);
		int			next;

		if (*at != '\\' || at[1] == '\0')
			continue;
		next = unit >= 0xD800 && unit < 0xDC00 ? unit_at(at + 6) : -1;
		if (next >= 0xDC00 && next < 0xE000)
			at += 6;
		else if (unit == 0 || (unit >= 0xD800 && unit < 0xE000))
		{
			memcpy(at + 2, "fffd", 4);
			found = true;
		}
		at += unit >= 0 ? 5 : 1;
	}
	return found;
}

Jsonb *
wf_answer_parse(const char *body, size_t bytes, int *sqlstate)
{
	size_t		text_bytes;
	char	   *text = wf_answer_text(body, bytes, NULL, &text_bytes);
	Jsonb	   *parsed = wf_json_try_parse(text, sqlstate);

	if (parsed == NULL && ERRCODE_TO_CATEGORY(*sqlstate) == ERRCODE_DATA_EXCEPTION && repair_escapes(text))
		parsed = wf_json_try_parse(text, sqlstate);
	pfree(text);
	return parsed;
}

/* -- the body -- */

static Jsonb *
text_json(const char *text, size_t bytes)
{
	JsonbValue	value;

	wf_json_set_string(&value, text, (int) bytes);
	return wf_json_copy(&value);
}

static Jsonb *
base64_json(const WfNetResult *r)
{
	WfBuffer   *buffer = wf_buffer_make(r->body_bytes / 3 * 4 + 8);

	wf_buffer_put_base64(buffer, r->body, r->body_bytes, 0);
	return text_json(buffer->data, buffer->bytes);
}

static Jsonb *
plain_text_json(const WfNetResult *r, const char *charset)
{
	size_t		bytes;
	char	   *text = wf_answer_text(r->body, r->body_bytes, charset, &bytes);

	return text_json(text, bytes);
}

/* A text's charset, if it is one that JSON, which is UTF-8, was written in nevertheless. */
static Jsonb *
parse_in(const WfNetResult *r, const char *charset, int *sqlstate)
{
	size_t		bytes;
	char	   *text;

	if (charset == NULL)
		return wf_answer_parse(r->body, r->body_bytes, sqlstate);
	text = wf_answer_text(r->body, r->body_bytes, charset, &bytes);
	return wf_answer_parse(text, bytes, sqlstate);
}

/*
 * Masks what was parsed, when there is something to mask: in the text as it came, or perhaps in one that has escapes.
 */
static Jsonb *
masked_json(const WfMask *mask, const WfNetResult *r, Jsonb *parsed)
{
	if (mask == NULL || (!wf_mask_finds(mask, r->body, r->body_bytes) && memchr(r->body, '\\', r->body_bytes) == NULL))
		return parsed;
	return wf_mask_json(mask, parsed);
}

WfBodyState
wf_answer_body(WfNetResult *r, const char *response_type, const WfMask *mask, Jsonb **out)
{
	const char *content_type = wf_net_result_header(r, "content-type");
	char	   *charset = wf_answer_charset(content_type);
	char	   *type = media_type(content_type == NULL ? "" : content_type);
	const char *wanted = response_type == NULL ? "auto" : response_type;
	bool		is_auto = strcmp(wanted, "auto") == 0;
	bool		is_json = strcmp(wanted, "json") == 0;
	int			sqlstate;

	if (strcmp(wanted, "none") == 0 || (r->body_bytes == 0 && (is_auto || is_json)))
	{
		*out = wf_json_null();
		return WF_BODY_READ;
	}
	if (is_json || (is_auto && is_json_type(type)))
	{
		*out = parse_in(r, charset, &sqlstate);
		if (*out == NULL && ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_DATA_EXCEPTION)
			return WF_BODY_TOO_LARGE;
		if (*out == NULL && is_json)
			return WF_BODY_NOT_JSON;
		if (*out != NULL)
		{
			*out = masked_json(mask, r, *out);
			return WF_BODY_READ;
		}
		wanted = "text";
	}
	r->body_bytes = wf_mask_bytes(mask, r->body, r->body_bytes);
	r->body[r->body_bytes] = '\0';
	if (strcmp(wanted, "text") == 0 || (is_auto && (type[0] == '\0' ? is_utf8(r->body, r->body_bytes) : is_text_type(type))))
		*out = plain_text_json(r, charset);
	else
		*out = base64_json(r);
	return WF_BODY_READ;
}
