/*
 * uri.c: URIs and IRIs (RFC 3986, RFC 3987): validity, and resolution against a base.
 *
 * Resolution is what `$id` and `$ref` need and follows section 5.2 to the letter; the base may be
 * empty (a schema without an `$id`), in which case a relative reference stays as it is, with its dot
 * segments removed. Texts are UTF-8 as the database holds them; nothing is normalised beyond that.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "schema/schema_internal.h"

typedef struct Span
{
	const char *text;
	int			len;
	bool		there;
} Span;

typedef struct Uri
{
	Span		scheme;
	Span		authority;
	Span		path;
	Span		query;
	Span		fragment;
} Uri;

/* Splits as appendix B of RFC 3986 does; every text splits somehow. */
static void
split(const char *text, int len, Uri *uri)
{
	const char *end = text + len;
	const char *p = text;

	memset(uri, 0, sizeof(*uri));
	while (p < end && strchr(":/?#", *p) == NULL)
		p++;
	if (p < end && *p == ':' && p > text)
	{
		uri->scheme = (Span) {text, p - text, true};
		text = p + 1;
	}
	if (end - text >= 2 && text[0] == '/' && text[1] == '/')
	{
		for (p = text + 2; p < end && strchr("/?#", *p) == NULL; p++)
			;
		uri->authority = (Span) {text + 2, p - text - 2, true};
		text = p;
	}
	for (p = text; p < end && *p != '?' && *p != '#'; p++)
		;
	uri->path = (Span) {text, p - text, true};
	if (p < end && *p == '?')
	{
		for (text = ++p; p < end && *p != '#'; p++)
			;
		uri->query = (Span) {text, p - text, true};
	}
	if (p < end)
		uri->fragment = (Span) {p + 1, end - p - 1, true};
}

/* -- validity -- */

/* RFC 3987's ucschar, and iprivate where `private_too`. */
static bool
is_ucschar(pg_wchar c, bool private_too)
{
	if (private_too && ((c >= 0xE000 && c <= 0xF8FF) || (c >= 0xF0000 && c <= 0xFFFFD) || (c >= 0x100000 && c <= 0x10FFFD)))
		return true;
	if (c >= 0x10000)
		return (c & 0xFFFF) <= 0xFFFD && c < 0xF0000 && (c < 0xE0000 || c >= 0xE1000);
	return (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xF900 && c <= 0xFDCF) || (c >= 0xFDF0 && c <= 0xFFEF);
}

/*
 * True when every character of a part is unreserved, a sub-delimiter, percent-encoded, or one of
 * `more`; with `iri` also beyond ASCII.
 */
static bool
part_valid(Span part, const char *more, bool iri, bool private_too)
{
	const char *p = part.text;
	const char *end = p + part.len;

	while (p < end)
	{
		unsigned char c = *p;

		if (c == '%')
		{
			if (end - p < 3 || !isxdigit((unsigned char) p[1]) || !isxdigit((unsigned char) p[2]))
				return false;
			p += 3;
		}
		else if (c >= 0x80)
		{
			int			len = pg_utf_mblen((const unsigned char *) p);

			if (!iri || GetDatabaseEncoding() != PG_UTF8 || len > end - p ||
				!is_ucschar(utf8_to_unicode((const unsigned char *) p), private_too))
				return false;
			p += len;
		}
		else if (c != '\0' && (isalnum(c) || strchr("-._~!$&'()*+,;=", c) != NULL || strchr(more, c) != NULL))
			p++;
		else
			return false;
	}
	return true;
}

static bool
ip_literal_valid(const char *text, int len)
{
	int			dot;

	if (len < 1)
		return false;
	if (text[0] != 'v' && text[0] != 'V')
		return wf_schema_format_ipv6(text, len);
	for (dot = 1; dot < len && isxdigit((unsigned char) text[dot]); dot++)
		;
	return dot > 1 && dot < len - 1 && text[dot] == '.' && memchr(text, '%', len) == NULL &&
		part_valid((Span) {text + dot + 1, len - dot - 1, true}, ":", false, false);
}

static bool
authority_valid(Span authority, bool iri)
{
	const char *text = authority.text;
	const char *end = text + authority.len;
	const char *at = NULL;
	const char *host_end = end;

	for (const char *p = text; p < end; p++)
	{
		if (*p == '@')
		{
			at = p;
			break;
		}
	}
	if (at != NULL)
	{
		if (!part_valid((Span) {text, at - text, true}, ":", iri, false))
			return false;
		text = at + 1;
	}
	for (const char *p = end; p > text && (isdigit((unsigned char) p[-1]) || p[-1] == ':'); p--)
	{
		if (p[-1] == ':')
		{
			host_end = p - 1;
			break;
		}
	}
	if (text < host_end && *text == '[')
		return host_end[-1] == ']' && ip_literal_valid(text + 1, host_end - text - 2);
	return part_valid((Span) {text, host_end - text, true}, "", iri, false);
}

static bool
scheme_valid(Span scheme)
{
	if (!isalpha((unsigned char) scheme.text[0]))
		return false;
	for (int i = 1; i < scheme.len; i++)
	{
		if (!isalnum((unsigned char) scheme.text[i]) && strchr("+-.", scheme.text[i]) == NULL)
			return false;
	}
	return true;
}

bool
wf_schema_uri_valid(const char *text, int len, int flags)
{
	bool		iri = (flags & WF_URI_IRI) != 0;
	Uri			uri;

	if (memchr(text, '\0', len) != NULL)
		return false;
	split(text, len, &uri);
	if (uri.scheme.there ? !scheme_valid(uri.scheme) : (flags & WF_URI_REFERENCE) == 0)
		return false;
	/* a colon in the first segment would make it a scheme */
	if (!uri.scheme.there && !uri.authority.there && uri.path.len > 0 && uri.path.text[0] == ':')
		return false;
	return (!uri.authority.there || authority_valid(uri.authority, iri)) &&
		part_valid(uri.path, ":@/", iri, false) &&
		(!uri.query.there || part_valid(uri.query, ":@/?", iri, true)) &&
		(!uri.fragment.there || part_valid(uri.fragment, ":@/?", iri, false));
}

/* -- resolution -- */

/* Appends a path without its dot segments (RFC 3986, 5.2.4). */
static void
append_without_dots(StringInfo out, const char *in, int len)
{
	int			start = out->len;
	const char *end = in + len;

	while (in < end)
	{
		const char *next;

		if (end - in >= 3 && memcmp(in, "../", 3) == 0)
			in += 3;
		else if (end - in >= 2 && memcmp(in, "./", 2) == 0)
			in += 2;
		else if (end - in >= 3 && memcmp(in, "/./", 3) == 0)
			in += 2;
		else if (end - in == 2 && memcmp(in, "/.", 2) == 0)
		{
			appendStringInfoChar(out, '/');
			break;
		}
		else if ((end - in >= 4 && memcmp(in, "/../", 4) == 0) || (end - in == 3 && memcmp(in, "/..", 3) == 0))
		{
			bool		is_last = end - in == 3;

			in += 3;
			while (out->len > start && out->data[out->len - 1] != '/')
				out->len--;
			if (out->len > start)
				out->len--;
			out->data[out->len] = '\0';
			if (is_last)
				appendStringInfoChar(out, '/');
		}
		else if ((end - in == 1 && *in == '.') || (end - in == 2 && memcmp(in, "..", 2) == 0))
			break;
		else
		{
			for (next = in + 1; next < end && *next != '/'; next++)
				;
			appendBinaryStringInfo(out, in, next - in);
			in = next;
		}
	}
}

/* The base's path up to its last slash, then the reference's path. */
static void
append_merged(StringInfo out, const Uri *base, Span path)
{
	StringInfoData merged;
	int			keep = base->path.len;

	initStringInfo(&merged);
	if (base->authority.there && base->path.len == 0)
		appendStringInfoChar(&merged, '/');
	else
	{
		while (keep > 0 && base->path.text[keep - 1] != '/')
			keep--;
		appendBinaryStringInfo(&merged, base->path.text, keep);
	}
	appendBinaryStringInfo(&merged, path.text, path.len);
	append_without_dots(out, merged.data, merged.len);
	pfree(merged.data);
}

char *
wf_schema_uri_resolve(const char *base_text, const char *reference_text)
{
	Uri			base,
				ref;
	Span		scheme,
				authority,
				query;
	StringInfoData out;

	split(base_text, strlen(base_text), &base);
	split(reference_text, strlen(reference_text), &ref);
	scheme = ref.scheme.there ? ref.scheme : base.scheme;
	authority = ref.scheme.there || ref.authority.there ? ref.authority : base.authority;
	query = ref.query;
	initStringInfo(&out);
	if (scheme.there)
		appendStringInfo(&out, "%.*s:", scheme.len, scheme.text);
	if (authority.there)
		appendStringInfo(&out, "//%.*s", authority.len, authority.text);
	if (ref.scheme.there || ref.authority.there || (ref.path.len > 0 && ref.path.text[0] == '/'))
		append_without_dots(&out, ref.path.text, ref.path.len);
	else if (ref.path.len > 0)
		append_merged(&out, &base, ref.path);
	else
	{
		appendBinaryStringInfo(&out, base.path.text, base.path.len);
		if (!query.there)
			query = base.query;
	}
	if (query.there)
		appendStringInfo(&out, "?%.*s", query.len, query.text);
	if (ref.fragment.there)
		appendStringInfo(&out, "#%.*s", ref.fragment.len, ref.fragment.text);
	return out.data;
}

static int
hex_digit(char c)
{
	return isdigit((unsigned char) c) ? c - '0' : (tolower((unsigned char) c) - 'a') + 10;
}

bool
wf_schema_uri_decode(char *text)
{
	char	   *out = text;

	for (const char *in = text; *in != '\0'; in++)
	{
		if (*in != '%')
			*out++ = *in;
		else if (isxdigit((unsigned char) in[1]) && isxdigit((unsigned char) in[2]) && (in[1] != '0' || in[2] != '0'))
		{
			*out++ = (char) (hex_digit(in[1]) * 16 + hex_digit(in[2]));
			in += 2;
		}
		else
			return false;
	}
	*out = '\0';
	/* what was encoded may be no text at all; it is only compared, but may be shown */
	return pg_verifymbstr(text, out - text, true);
}
