/*
 * format.c: what the values of `format` mean, as the RFCs that the standard names say.
 *
 * Asserted on request only. Each validator sees the bytes of one string and answers yes or no; none
 * throws. A name that is not in the table is no assertion, as the standard has it. Host names are in
 * format_idn.c, URIs in uri.c.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/compat.h"
#include "mb/pg_wchar.h"
#include "schema/schema_internal.h"

/* -- reading -- */

typedef struct Reader
{
	const char *p;
	const char *end;
} Reader;

static bool
take(Reader *r, const char *any_of)
{
	if (r->p >= r->end || *r->p == '\0' || strchr(any_of, *r->p) == NULL)
		return false;
	r->p++;
	return true;
}

/* Exactly n digits, as a number. */
static bool
take_digits(Reader *r, int n, int *out)
{
	*out = 0;
	if (r->end - r->p < n)
		return false;
	for (int i = 0; i < n; i++, r->p++)
	{
		if (!isdigit((unsigned char) *r->p))
			return false;
		*out = *out * 10 + (*r->p - '0');
	}
	return true;
}

static bool
skip_digits(Reader *r)
{
	const char *start = r->p;

	while (r->p < r->end && isdigit((unsigned char) *r->p))
		r->p++;
	return r->p > start;
}

/* -- dates and times (RFC 3339) -- */

static bool
take_date(Reader *r)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year,
				month,
				day;
	bool		leap;

	if (!take_digits(r, 4, &year) || !take(r, "-") || !take_digits(r, 2, &month) || !take(r, "-") ||
		!take_digits(r, 2, &day) || month < 1 || month > 12)
		return false;
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

/* A leap second is the last one of a day in UTC. */
static bool
take_time(Reader *r)
{
	int			hour,
				minute,
				second,
				offset_hour = 0,
				offset_minute = 0;
	int			sign = 1;

	if (!take_digits(r, 2, &hour) || !take(r, ":") || !take_digits(r, 2, &minute) || !take(r, ":") ||
		!take_digits(r, 2, &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	if (take(r, ".") && !skip_digits(r))
		return false;
	if (!take(r, "zZ"))
	{
		if (r->p < r->end && *r->p == '-')
			sign = -1;
		if (!take(r, "+-") || !take_digits(r, 2, &offset_hour) || !take(r, ":") ||
			!take_digits(r, 2, &offset_minute) || offset_hour > 23 || offset_minute > 59)
			return false;
	}
	if (second < 60)
		return true;
	minute = hour * 60 + minute - sign * (offset_hour * 60 + offset_minute);
	return (minute + 2 * 1440) % 1440 == 1439;
}

static bool
is_date(const char *text, int len)
{
	Reader		r = {text, text + len};

	return take_date(&r) && r.p == r.end;
}

static bool
is_time(const char *text, int len)
{
	Reader		r = {text, text + len};

	return take_time(&r) && r.p == r.end;
}

static bool
is_date_time(const char *text, int len)
{
	Reader		r = {text, text + len};

	return take_date(&r) && take(&r, "tT") && take_time(&r) && r.p == r.end;
}

/* Designators of a duration in their order; each may only be followed by the next one of its part. */
static bool
take_units(Reader *r, const char *units)
{
	const char *allowed = units;
	bool		first = true;

	while (r->p < r->end && isdigit((unsigned char) *r->p))
	{
		const char *unit;

		skip_digits(r);
		if (r->p >= r->end || *r->p == '\0' || (unit = strchr(allowed, *r->p)) == NULL)
			return false;
		if (!first && unit != allowed)
			return false;
		r->p++;
		allowed = unit + 1;
		first = false;
	}
	return !first;
}

static bool
is_duration(const char *text, int len)
{
	Reader		r = {text, text + len};
	Reader		week;

	if (!take(&r, "P"))
		return false;
	week = r;
	if (skip_digits(&week) && take(&week, "W"))
		return week.p == week.end;
	if (r.p < r.end && *r.p != 'T' && !take_units(&r, "YMD"))
		return false;
	if (take(&r, "T"))
		return take_units(&r, "HMS") && r.p == r.end;
	return r.p == r.end && len > 1;
}

/* -- addresses -- */

bool
wf_schema_format_ipv4(const char *text, int len)
{
	Reader		r = {text, text + len};

	for (int i = 0; i < 4; i++)
	{
		const char *start = r.p;
		int			value = 0;

		if (i > 0 && !take(&r, "."))
			return false;
		start = r.p;
		while (r.p < r.end && r.p - start < 3 && isdigit((unsigned char) *r.p))
			value = value * 10 + (*r.p++ - '0');
		if (r.p == start || value > 255 || (*start == '0' && r.p - start > 1))
			return false;
	}
	return r.p == r.end;
}

bool
wf_schema_format_ipv6(const char *text, int len)
{
	const char *p = text;
	const char *end = text + len;
	int			groups = 0;
	bool		gap = false;

	if (len >= 2 && p[0] == ':' && p[1] == ':')
	{
		gap = true;
		p += 2;
	}
	while (p < end)
	{
		const char *start = p;

		while (p < end && p - start < 5 && isxdigit((unsigned char) *p))
			p++;
		if (p < end && *p == '.')
		{
			/* the last 32 bits as IPv4 */
			groups += 2;
			if (!wf_schema_format_ipv4(start, end - start))
				return false;
			p = end;
			break;
		}
		if (p == start || p - start > 4)
			return false;
		groups++;
		if (p == end)
			break;
		if (*p++ != ':' || p == end)
			return false;
		if (*p == ':')
		{
			if (gap)
				return false;
			gap = true;
			p++;
		}
	}
	return gap ? groups < 8 : groups == 8;
}

/* RFC 5321's dot-string; with `wide` also RFC 6531's characters. */
static bool
is_dot_string(const char *text, int len, bool wide)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char c = text[i];

		if (c == '.' ? (i == 0 || i == len - 1 || text[i - 1] == '.') :
			c >= 0x80 ? !wide : !isalnum(c) && (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
			return false;
	}
	return len > 0;
}

static bool
is_quoted_string(const char *text, int len, bool wide)
{
	if (len < 2 || text[0] != '"' || text[len - 1] != '"')
		return false;
	for (int i = 1; i < len - 1; i++)
	{
		unsigned char c = text[i];

		if (c == '\\' && ++i < len - 1)
			c = text[i];
		else if (c == '"' || c == '\\')
			return false;
		if (c < 0x20 || c == 0x7F || (c >= 0x80 && !wide))
			return false;
	}
	return true;
}

/* RFC 6531: labels of letters, digits, hyphens and anything beyond ASCII. */
static bool
is_wide_domain(const char *text, int len)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char c = text[i];
		bool		edge = i == 0 || i == len - 1 || text[i - 1] == '.' || text[i + 1] == '.';

		if (c < 0x80 && !isalnum(c) && (edge || (c != '-' && c != '.')))
			return false;
	}
	return len > 0 && len <= 255;
}

static bool
is_mailbox(const char *text, int len, bool wide)
{
	int			at = len;
	const char *domain;
	int			domain_len;

	while (--at >= 0 && text[at] != '@')
		;
	if (at < 1 || at > 64)
		return false;
	domain = text + at + 1;
	domain_len = len - at - 1;
	if (!is_dot_string(text, at, wide) && !is_quoted_string(text, at, wide))
		return false;
	if (domain_len > 2 && domain[0] == '[' && domain[domain_len - 1] == ']')
	{
		if (domain_len > 7 && pg_strncasecmp(domain + 1, "IPv6:", 5) == 0)
			return wf_schema_format_ipv6(domain + 6, domain_len - 7);
		return wf_schema_format_ipv4(domain + 1, domain_len - 2);
	}
	return wide ? is_wide_domain(domain, domain_len) : wf_schema_format_hostname(domain, domain_len);
}

static bool
is_email(const char *text, int len)
{
	return is_mailbox(text, len, false);
}

static bool
is_idn_email(const char *text, int len)
{
	return is_mailbox(text, len, true);
}

/* -- URIs -- */

static bool
is_uri(const char *text, int len)
{
	return wf_schema_uri_valid(text, len, 0);
}

static bool
is_uri_reference(const char *text, int len)
{
	return wf_schema_uri_valid(text, len, WF_URI_REFERENCE);
}

static bool
is_iri(const char *text, int len)
{
	return wf_schema_uri_valid(text, len, WF_URI_IRI);
}

static bool
is_iri_reference(const char *text, int len)
{
	return wf_schema_uri_valid(text, len, WF_URI_IRI | WF_URI_REFERENCE);
}

static bool
take_percent(Reader *r)
{
	if (r->end - r->p < 3 || *r->p != '%' || !isxdigit((unsigned char) r->p[1]) || !isxdigit((unsigned char) r->p[2]))
		return false;
	r->p += 3;
	return true;
}

/* varname [":" 1*4DIGIT / "*"] of RFC 6570. */
static bool
take_varspec(Reader *r)
{
	bool		after_dot = true;

	for (;;)
	{
		if (r->p < r->end && (isalnum((unsigned char) *r->p) || *r->p == '_'))
			r->p++;
		else if (take_percent(r))
			;
		else if (!after_dot && take(r, "."))
		{
			after_dot = true;
			continue;
		}
		else
			break;
		after_dot = false;
	}
	if (after_dot)
		return false;
	if (take(r, ":"))
	{
		const char *start = r->p;

		return skip_digits(r) && *start != '0' && r->p - start <= 4;
	}
	take(r, "*");
	return true;
}

static bool
is_uri_template(const char *text, int len)
{
	Reader		r = {text, text + len};

	while (r.p < r.end)
	{
		unsigned char c = *r.p;

		if (take(&r, "{"))
		{
			take(&r, "+#./;?&=,!@|");
			do
			{
				if (!take_varspec(&r))
					return false;
			} while (take(&r, ","));
			if (!take(&r, "}"))
				return false;
		}
		else if (c == '%')
		{
			if (!take_percent(&r))
				return false;
		}
		else if (c <= 0x20 || c == 0x7F || strchr("\"<>\\^`|}", c) != NULL)
			return false;
		else
			r.p++;
	}
	return true;
}

/* -- the rest -- */

static bool
is_uuid(const char *text, int len)
{
	if (len != 36)
		return false;
	for (int i = 0; i < len; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char) text[i]))
			return false;
	}
	return true;
}

static bool
is_json_pointer(const char *text, int len)
{
	if (len > 0 && text[0] != '/')
		return false;
	for (int i = 0; i < len; i++)
	{
		if (text[i] == '~' && (i + 1 >= len || (text[i + 1] != '0' && text[i + 1] != '1')))
			return false;
	}
	return true;
}

static bool
take_integer(Reader *r)
{
	const char *start = r->p;

	return skip_digits(r) && (*start != '0' || r->p - start == 1);
}

static bool
is_relative_json_pointer(const char *text, int len)
{
	Reader		r = {text, text + len};

	if (!take_integer(&r))
		return false;
	if (take(&r, "+-"))
	{
		if (r.p < r.end && *r.p == '0')
			return false;
		if (!take_integer(&r))
			return false;
	}
	if (r.end - r.p == 1 && *r.p == '#')
		return true;
	return is_json_pointer(r.p, r.end - r.p);
}

static bool
is_regex(const char *text, int len)
{
	return wf_regex_is_valid(text, len, "u");
}

static const WfSchemaFormat formats[] = {
	{"date", is_date},
	{"date-time", is_date_time},
	{"duration", is_duration},
	{"email", is_email},
	{"hostname", wf_schema_format_hostname},
	{"idn-email", is_idn_email},
	{"idn-hostname", wf_schema_format_idn_hostname},
	{"ipv4", wf_schema_format_ipv4},
	{"ipv6", wf_schema_format_ipv6},
	{"iri", is_iri},
	{"iri-reference", is_iri_reference},
	{"json-pointer", is_json_pointer},
	{"regex", is_regex},
	{"relative-json-pointer", is_relative_json_pointer},
	{"time", is_time},
	{"uri", is_uri},
	{"uri-reference", is_uri_reference},
	{"uri-template", is_uri_template},
	{"uuid", is_uuid},
};

const WfSchemaFormat *
wf_schema_format_find(const char *name, int len)
{
	for (int i = 0; i < lengthof(formats); i++)
	{
		if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0)
			return &formats[i];
	}
	return NULL;
}
