/*
 * secret_marker.c: making markers, finding them, putting values in their place.
 *
 * A text is walked twice, once for the length and once to write: so there is one allocation, which wipes itself, and no
 * smaller ones that were outgrown. Markers are looked for by their beginning with the nonce in it; what follows has to be a
 * valid name and the end, or it is no marker. A value that is put in is not looked into.
 */
#include "postgres.h"

#include "base/secret.h"
#include "base/secret_marker.h"
#include "utils/memutils.h"

#define OPEN "\xEE\x80\x80"		/* U+E000 */
#define CLOSE "\xEE\x80\x81"	/* U+E001 */
#define HEAD_BYTES (3 + WF_MARKER_NONCE_CHARS + 1)

static const char hex[] = "0123456789abcdef";
static const char upper_hex[] = "0123456789ABCDEF";

void
wf_marker_make_nonce(char nonce[WF_MARKER_NONCE_CHARS + 1])
{
	uint8		bytes[WF_MARKER_NONCE_CHARS / 2];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	for (int i = 0; i < lengthof(bytes); i++)
	{
		nonce[2 * i] = hex[bytes[i] >> 4];
		nonce[2 * i + 1] = hex[bytes[i] & 15];
	}
	nonce[WF_MARKER_NONCE_CHARS] = '\0';
}

bool
wf_marker_is_nonce(const char *text)
{
	return strlen(text) == WF_MARKER_NONCE_CHARS && strspn(text, hex) == WF_MARKER_NONCE_CHARS;
}

char *
wf_marker_make(const char *nonce, const char *name, int name_len)
{
	return psprintf(OPEN "%s:%.*s" CLOSE, nonce, name_len, name);
}

/* -- finding -- */

typedef struct Marker
{
	int			begin;			/* bytes */
	int			end;
	const char *name;
	int			name_len;
} Marker;

/* A secret's name, or a credential's with that of a field. */
static bool
is_name(const char *name, int len)
{
	const char *dot = memchr(name, '.', len);

	if (dot == NULL)
		return wf_secret_name_is_valid(name, len);
	return wf_secret_name_is_valid(name, dot - name) && wf_secret_name_is_valid(dot + 1, len - (dot + 1 - name));
}

/* The next marker from byte `at` on; `head` is its beginning. */
static bool
next_marker(const char *text, int len, int at, const char *head, Marker *out)
{
	while (at < len)
	{
		const char *found = memmem(text + at, len - at, head, HEAD_BYTES);
		const char *close;

		if (found == NULL)
			return false;
		out->begin = found - text;
		out->name = found + HEAD_BYTES;
		at = out->begin + HEAD_BYTES;
		close = memmem(out->name, Min(len - at, WF_MARKER_NAME_BYTES + 3), CLOSE, 3);
		if (close == NULL)
			continue;
		out->name_len = close - out->name;
		out->end = close + 3 - text;
		if (is_name(out->name, out->name_len))
			return true;
	}
	return false;
}

static void
make_head(char head[HEAD_BYTES + 1], const char *nonce)
{
	Assert(strlen(nonce) == WF_MARKER_NONCE_CHARS);
	snprintf(head, HEAD_BYTES + 1, OPEN "%s:", nonce);
}

List *
wf_marker_names(List *names, const char *text, int len, const char *nonce)
{
	char		head[HEAD_BYTES + 1];
	Marker		marker;

	if (!wf_marker_is_nonce(nonce))
		return names;
	make_head(head, nonce);
	for (int at = 0; next_marker(text, len, at, head, &marker); at = marker.end)
	{
		ListCell   *cell;
		bool		known = false;

		foreach(cell, names)
			known |= strlen(lfirst(cell)) == marker.name_len && memcmp(lfirst(cell), marker.name, marker.name_len) == 0;
		if (!known)
			names = lappend(names, pnstrdup(marker.name, marker.name_len));
	}
	return names;
}

/* -- replacing -- */

static const WfSecretValue *
value_of(const Marker *marker, const WfSecretValue *values, int n_values)
{
	for (int i = 0; i < n_values; i++)
		if (strlen(values[i].name) == marker->name_len && memcmp(values[i].name, marker->name, marker->name_len) == 0)
			return &values[i];
	return NULL;
}

/* Writes a value in a style; NULL: only tells its length. */
static int64
put_value(char *out, const WfSecretValue *value, WfMarkerStyle style)
{
	int64		n = 0;

#define PUT(c) do { if (out != NULL) out[n] = (c); n++; } while (0)
	for (int i = 0; i < value->len; i++)
	{
		unsigned char c = value->value[i];

		if (style == WF_MARKER_JSON && (c == '"' || c == '\\'))
		{
			PUT('\\');
			PUT(c);
		}
		else if (style == WF_MARKER_JSON && c < ' ')
		{
			PUT('\\');
			PUT('u');
			PUT('0');
			PUT('0');
			PUT(hex[c >> 4]);
			PUT(hex[c & 15]);
		}
		else if (style == WF_MARKER_URL &&
				 !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c) != NULL)))
		{
			PUT('%');
			PUT(upper_hex[c >> 4]);
			PUT(upper_hex[c & 15]);
		}
		else
			PUT(c);
	}
#undef PUT
	return n;
}

/* Writes the text with its values; NULL: only tells its length. */
static int64
put_text(char *out, const char *text, int len, const char *head, const WfSecretValue *values, int n_values,
		 WfMarkerStyle style)
{
	Marker		marker;
	int64		n = 0;
	int			at = 0;

	for (int from = 0; next_marker(text, len, from, head, &marker); from = marker.end)
	{
		const WfSecretValue *value = value_of(&marker, values, n_values);

		if (value == NULL)
			continue;
		if (out != NULL)
			memcpy(out + n, text + at, marker.begin - at);
		n += marker.begin - at;
		n += put_value(out == NULL ? NULL : out + n, value, style);
		at = marker.end;
	}
	if (out != NULL)
		memcpy(out + n, text + at, len - at);
	return n + len - at;
}

int64
wf_marker_filled_bytes(const char *text, int len, const char *nonce, const WfSecretValue *values, int n_values,
					   WfMarkerStyle style)
{
	char		head[HEAD_BYTES + 1];

	if (!wf_marker_is_nonce(nonce))
		return len;
	make_head(head, nonce);
	return put_text(NULL, text, len, head, values, n_values, style);
}

const char *
wf_marker_fill(const char *text, int len, const char *nonce, const WfSecretValue *values, int n_values,
			   WfMarkerStyle style, int *out_len)
{
	char		head[HEAD_BYTES + 1];
	Marker		marker;
	int64		size;
	char	   *out;

	*out_len = len;
	if (!wf_marker_is_nonce(nonce))
		return text;
	make_head(head, nonce);
	if (!next_marker(text, len, 0, head, &marker))
		return text;
	size = put_text(NULL, text, len, head, values, n_values, style);
	if (size >= (int64) (MaxAllocSize / 2))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("text with secrets in it is too long")));
	out = wf_secret_alloc(size + 1);
	*out_len = (int) put_text(out, text, len, head, values, n_values, style);
	out[size] = '\0';
	return out;
}

void
wf_marker_wipe(WfSecretValue *values, int n_values)
{
	for (int i = 0; i < n_values; i++)
	{
		if (values[i].value == NULL)
			continue;
		explicit_bzero(values[i].value, values[i].len);
		values[i].len = 0;
	}
}
