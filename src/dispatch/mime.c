/*
 * mime.c: texts of a mail: headers that are folded and encoded, bodies that survive every relay.
 *
 * 1. Everything is ASCII, every line ends with CRLF and has at most 76 characters, but for addresses and content types,
 *    which can't be parted (and are shorter than the 998 that no line may exceed).
 * 2. What is no ASCII stands in headers as encoded words (RFC 2047), in parameters as RFC 2231 has it, in bodies as
 *    quoted-printable or base64, whichever is shorter. No character is parted between two words or two segments.
 * 3. Nothing here fails: what could not be a line of a header was refused before (mail.c).
 */
#include "postgres.h"

#include "dispatch/making.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"

#define LINE_CHARS 76
/* A word of a header that is longer is encoded, as it could not be folded. */
#define WORD_CHARS 60
#define WORD_BEGIN "=?UTF-8?B?"
#define WORD_END "?="
/* Above this share of bytes to be escaped, in percent, base64 is shorter than quoted-printable. */
#define ESCAPED_PERCENT 18

char *
wf_mime_date(int64 unix_ms)
{
	pg_time_t	seconds = unix_ms / 1000;
	char	   *text = palloc(64);

	pg_strftime(text, 64, "%a, %d %b %Y %H:%M:%S +0000", pg_gmtime(&seconds));
	return text;
}

/* -- headers -- */

/* A header that is being written. */
typedef struct Line
{
	WfBuffer   *out;
	size_t		column;
} Line;

/* Goes on with a text that begins with a space, or with one that may follow directly; on a new line when it does not fit. */
static void
put_word(Line *line, const char *word, size_t chars)
{
	if (line->column + chars > LINE_CHARS && line->column > 1)
	{
		wf_buffer_put_text(line->out, word[0] == ' ' ? "\r\n" : "\r\n ");
		line->column = word[0] == ' ' ? 0 : 1;
	}
	wf_buffer_put(line->out, word, chars);
	line->column += chars;
}

/* Plain text, folded before its spaces. */
static void
put_words(Line *line, const char *text)
{
	while (*text != '\0')
	{
		size_t		spaces = strspn(text, " ");
		size_t		chars = spaces + strcspn(text + spaces, " ");

		put_word(line, text, chars);
		text += chars;
	}
}

/* The bytes of whole characters at the beginning of a text, at most so many, at least one character. */
static size_t
whole_characters(const char *text, size_t most)
{
	size_t		bytes = pg_utf_mblen((const unsigned char *) text);

	while (text[bytes] != '\0' && bytes + pg_utf_mblen((const unsigned char *) text + bytes) <= most)
		bytes += pg_utf_mblen((const unsigned char *) text + bytes);
	return bytes;
}

/* Encoded words; between two of them there is the end of a line. */
static void
put_encoded_words(Line *line, const char *text)
{
	size_t		frame = strlen(WORD_BEGIN WORD_END);

	for (bool is_first = true; *text != '\0'; is_first = false)
	{
		size_t		bytes;

		if (!is_first || line->column + frame + 8 > LINE_CHARS)
		{
			wf_buffer_put_text(line->out, "\r\n ");
			line->column = 1;
		}
		bytes = whole_characters(text, (LINE_CHARS - line->column - frame) / 4 * 3);
		wf_buffer_put_text(line->out, WORD_BEGIN);
		wf_buffer_put_base64(line->out, text, bytes, 0);
		wf_buffer_put_text(line->out, WORD_END);
		line->column += frame + (bytes + 2) / 3 * 4;
		text += bytes;
	}
}

/* Is it ASCII without control characters, what looks like an encoded word, outer spaces, and words that can't be folded? */
static bool
is_plain(const char *text)
{
	size_t		chars = 0;

	if (text[0] == ' ' || strstr(text, "=?") != NULL)
		return false;
	for (const char *c = text; *c != '\0'; c++)
	{
		if (*c < ' ' || *c > '~' || (*c == ' ' && c[1] == '\0'))
			return false;
		chars = *c == ' ' && c[1] != ' ' ? 0 : chars + 1;
		if (chars > WORD_CHARS)
			return false;
	}
	return true;
}

static Line
begin_header(WfBuffer *out, const char *name)
{
	Line		line = {out, strlen(name) + 2};

	wf_buffer_put_text(out, name);
	wf_buffer_put_text(out, ": ");
	return line;
}

void
wf_mime_put_text_header(WfBuffer *out, const char *name, const char *text)
{
	Line		line = begin_header(out, name);

	if (is_plain(text))
		put_words(&line, text);
	else
		put_encoded_words(&line, text);
	wf_buffer_put_text(out, "\r\n");
}

/* -- addresses -- */

char *
wf_mime_mailbox(const char *address)
{
	const char *open = strrchr(address, '<');

	return open == NULL ? pstrdup(address) : pnstrdup(open + 1, strcspn(open + 1, ">"));
}

/* The name before an address, without its quotes; empty when there is none. */
static char *
display_name(const char *address)
{
	const char *open = strrchr(address, '<');
	size_t		bytes = open == NULL ? 0 : open - address;
	char	   *name = palloc(bytes + 1);
	size_t		n = 0;
	bool		is_quoted = false;

	while (bytes > 0 && address[bytes - 1] == ' ')
		bytes--;
	for (size_t i = strspn(address, " "); i < bytes; i++)
	{
		if (is_quoted && address[i] == '\\' && i + 1 < bytes)
			name[n++] = address[++i];
		else if (address[i] == '"')
			is_quoted = !is_quoted;
		else
			name[n++] = address[i];
	}
	name[n] = '\0';
	return name;
}

/* A name as words, as a string in quotes, or encoded. */
static void
put_display_name(Line *line, const char *name)
{
	WfBuffer   *quoted;

	if (!is_plain(name))
		put_encoded_words(line, name);
	else if (name[strspn(name, " !#$%&'*+-/=?^_`{|}~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] == '\0')
		put_words(line, name);
	else if (strlen(name) > WORD_CHARS)
		put_encoded_words(line, name);
	else
	{
		quoted = wf_buffer_make(2 * strlen(name) + 2);
		wf_buffer_put(quoted, "\"", 1);
		for (; *name != '\0'; name++)
		{
			if (*name == '"' || *name == '\\')
				wf_buffer_put(quoted, "\\", 1);
			wf_buffer_put(quoted, name, 1);
		}
		wf_buffer_put(quoted, "\"", 1);
		put_word(line, quoted->data, quoted->bytes);
	}
}

void
wf_mime_put_address_header(WfBuffer *out, const char *name, const char *const *addresses, int n)
{
	Line		line = begin_header(out, name);

	for (int i = 0; i < n; i++)
	{
		const char *mailbox = wf_mime_mailbox(addresses[i]);
		const char *person = display_name(addresses[i]);
		const char *comma = i + 1 < n ? "," : "";
		const char *word;

		if (i > 0 && line.column + strlen(person) + strlen(mailbox) + 5 > LINE_CHARS)
		{
			wf_buffer_put_text(out, "\r\n ");
			line.column = 1;
		}
		else if (i > 0)
		{
			wf_buffer_put(out, " ", 1);
			line.column++;
		}
		if (person[0] != '\0')
			put_display_name(&line, person);
		word = psprintf(person[0] != '\0' ? " <%s>%s" : "%s%s", mailbox, comma);
		put_word(&line, word, strlen(word));
	}
	wf_buffer_put_text(out, "\r\n");
}

/* -- parameters -- */

void
wf_mime_put_parameter(WfBuffer *out, const char *name, const char *value)
{
	WfBuffer   *quoted = wf_buffer_make(2 * strlen(value));
	bool		is_ascii = true;
	size_t		most = LINE_CHARS - strlen(name) - strlen(" *99*=UTF-8'';") - 12;

	for (const char *c = value; *c != '\0'; c++)
	{
		is_ascii &= *c >= ' ' && *c <= '~';
		if (*c == '"' || *c == '\\')
			wf_buffer_put(quoted, "\\", 1);
		wf_buffer_put(quoted, c, 1);
	}
	if (is_ascii && quoted->bytes <= WORD_CHARS)
	{
		wf_buffer_put_text(out, psprintf(";\r\n %s=\"%s\"", name, quoted->data));
		return;
	}
	for (int segment = 0; *value != '\0'; segment++)
	{
		WfBuffer   *encoded = wf_buffer_make(LINE_CHARS);

		while (*value != '\0' && encoded->bytes < most)
		{
			size_t		bytes = whole_characters(value, 1);

			wf_buffer_put_encoded(encoded, value, bytes);
			value += bytes;
		}
		wf_buffer_put_text(out, *value == '\0' && segment == 0 ? psprintf(";\r\n %s*=", name) :
						   psprintf(";\r\n %s*%d*=", name, segment));
		wf_buffer_put_text(out, segment == 0 ? "UTF-8''" : "");
		wf_buffer_put_text(out, encoded->data);
	}
}

/* -- bodies -- */

/* Every line's end becomes CRLF. */
static WfBuffer *
with_crlf(const char *text, size_t bytes)
{
	WfBuffer   *out = wf_buffer_make(bytes + bytes / 16);
	size_t		from = 0;

	for (size_t i = 0; i < bytes; i++)
	{
		if (text[i] != '\r' && text[i] != '\n')
			continue;
		wf_buffer_put(out, text + from, i - from);
		wf_buffer_put(out, "\r\n", 2);
		if (text[i] == '\r' && i + 1 < bytes && text[i + 1] == '\n')
			i++;
		from = i + 1;
	}
	wf_buffer_put(out, text + from, bytes - from);
	return out;
}

static bool
ends_line(const WfBuffer *text, size_t at)
{
	return at >= text->bytes || text->data[at] == '\r';
}

/* What quoted-printable escapes wherever it stands. */
static bool
is_escaped(char c)
{
	return (c < ' ' && c != '\t') || c > '~' || c == '=' || IS_HIGHBIT_SET(c);
}

/* Can it stand as it is? Else *escaped is the number of bytes that quoted-printable escapes. */
static bool
is_plain_body(const WfBuffer *text, size_t *escaped)
{
	size_t		column = 0;
	bool		is_plain = strstr(text->data, "=_") == NULL;	/* as boundaries begin */

	*escaped = 0;
	for (size_t i = 0; i < text->bytes; i++)
	{
		if (text->data[i] == '\r')
		{
			column = 0;
			i++;
			continue;
		}
		if (column == 0 && strncmp(text->data + i, "From ", 5) == 0)
			is_plain = false;
		column++;
		*escaped += is_escaped(text->data[i]);
		if (column > LINE_CHARS || (is_escaped(text->data[i]) && text->data[i] != '='))
			is_plain = false;
	}
	return is_plain;
}

static void
put_quoted_printable(WfBuffer *out, const WfBuffer *text)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t		column = 0;

	for (size_t i = 0; i < text->bytes; i++)
	{
		const char *c = text->data + i;
		bool		is_last = ends_line(text, i + 1);
		bool		escape = is_escaped(*c) || ((*c == ' ' || *c == '\t') && is_last) ||
			(column == 0 && (*c == '.' || strncmp(c, "From ", 5) == 0));
		char		three[3] = {'=', digits[(unsigned char) *c >> 4], digits[(unsigned char) *c & 15]};
		size_t		chars = escape ? 3 : 1;

		if (*c == '\r')
		{
			wf_buffer_put(out, "\r\n", 2);
			column = 0;
			i++;
			continue;
		}
		if (column + chars > LINE_CHARS - (is_last ? 0 : 1))
		{
			wf_buffer_put(out, "=\r\n", 3);
			column = 0;
		}
		wf_buffer_put(out, escape ? three : c, chars);
		column += chars;
	}
}

void
wf_mime_put_text_entity(WfBuffer *out, const char *content_type, const char *text, size_t bytes)
{
	WfBuffer   *lines = with_crlf(text, bytes);
	size_t		escaped;
	bool		is_plain = is_plain_body(lines, &escaped);
	bool		is_quoted = escaped * 100 <= lines->bytes * ESCAPED_PERCENT;

	out->overflown |= lines->overflown;
	wf_buffer_put_text(out, psprintf("Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", content_type,
									 is_plain ? "7bit" : is_quoted ? "quoted-printable" : "base64"));
	if (is_plain)
		wf_buffer_put(out, lines->data, lines->bytes);
	else if (is_quoted)
		put_quoted_printable(out, lines);
	else
	{
		wf_buffer_put_base64(out, lines->data, lines->bytes, LINE_CHARS);
		out->bytes -= out->overflown ? 0 : 2;	/* its last line's end is its caller's */
		out->data[out->bytes] = '\0';
	}
}
