/*
 * lex.c: the source as tokens, made when the parser asks for them and kept, so that it may look
 * ahead as far as it likes at no cost.
 *
 * Whether `/` divides or begins a regular expression follows from the token before, as there are no
 * statements: after an operand it divides. A template literal comes as pieces of text; `${` opens a
 * brace whose `}` goes on with the text. In a config string the lexer starts behind `{{` and is
 * never asked for tokens beyond the `}}` that the parser finds.
 *
 * Text of tokens is in CurrentMemoryContext. What is wrong gives a BAD token and lexer->message.
 */
#include "postgres.h"

#include "expr/parser.h"
#include "mb/pg_wchar.h"

#define MAX_BIGINT_DIGITS	10000	/* of a literal: turning them into a number takes time with their square */

void
wf_expr_lex_begin(WfLexer *lexer, const char *source, int len, int start)
{
	memset(lexer, 0, sizeof(*lexer));
	lexer->source = source;
	lexer->len = len;
	lexer->at = start;
	lexer->capacity = 32;
	lexer->tokens = palloc(lexer->capacity * sizeof(WfToken));
	lexer->braces_capacity = 16;
	lexer->braces = palloc(lexer->braces_capacity * sizeof(int));
}

static void
bad(WfLexer *lexer, WfToken *token, int pos, const char *message)
{
	token->kind = WF_T_BAD;
	token->pos = pos;
	lexer->message = message;
}

static inline int
byte_at(const WfLexer *lexer, int at)
{
	return at < lexer->len ? (unsigned char) lexer->source[at] : -1;
}

static bool
is_name_start(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* Skips space and comments; false at a comment that does not end. */
static bool
skip_space(WfLexer *lexer, WfToken *token)
{
	const char *s = lexer->source;
	int			size;

	while (lexer->at < lexer->len)
	{
		int32		code = wf_expr_decode(s + lexer->at, s + lexer->len, &size);

		if (wf_expr_is_space(code))
		{
			if (code == '\n' || code == '\r' || code == 0x2028 || code == 0x2029)
				token->line_before = true;
			lexer->at += size;
		}
		else if (code == '/' && byte_at(lexer, lexer->at + 1) == '/')
		{
			while (lexer->at < lexer->len && s[lexer->at] != '\n' && s[lexer->at] != '\r')
				lexer->at++;
		}
		else if (code == '/' && byte_at(lexer, lexer->at + 1) == '*')
		{
			const char *end = memmem(s + lexer->at + 2, lexer->len - lexer->at - 2, "*/", 2);

			if (end == NULL)
			{
				bad(lexer, token, lexer->at, "comment does not end");
				return false;
			}
			if (memchr(s + lexer->at, '\n', end - s - lexer->at))
				token->line_before = true;
			lexer->at = end - s + 2;
		}
		else
			break;
	}
	return true;
}

/* Reads n hexadecimal digits at `at`; -1 when they are not there. */
static int64
read_hex(const WfLexer *lexer, int at, int n)
{
	int64		value = 0;

	for (int i = 0; i < n; i++)
	{
		int			c = byte_at(lexer, at + i);
		int			digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* \uXXXX or \u{X...}, with lexer->at behind the u; -1 when wrong. */
static int64
read_unicode(WfLexer *lexer)
{
	int64		code = 0;
	int			digits = 0;

	if (byte_at(lexer, lexer->at) != '{')
	{
		code = read_hex(lexer, lexer->at, 4);
		lexer->at += 4;
		return code;
	}
	for (lexer->at++; byte_at(lexer, lexer->at) != '}'; lexer->at++, digits++)
	{
		int64		digit = read_hex(lexer, lexer->at, 1);

		if (digit < 0 || code > 0x10FFFF)
			return -1;
		code = code << 4 | digit;
	}
	lexer->at++;
	return digits == 0 || code > 0x10FFFF ? -1 : code;
}

/* A string under construction; joins surrogates that are written as two escapes. */
typedef struct Cooked
{
	char	   *data;
	int			len;
} Cooked;

static void
add_code(Cooked *cooked, uint32 code)
{
	if (code >= 0xDC00 && code < 0xE000 && cooked->len >= 3 &&
		(unsigned char) cooked->data[cooked->len - 3] == 0xED)
	{
		int			size;
		int32		high = wf_expr_decode(cooked->data + cooked->len - 3, cooked->data + cooked->len, &size);

		if (high >= 0xD800 && high < 0xDC00)
		{
			cooked->len -= 3;
			code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00);
		}
	}
	cooked->len += wf_expr_encode(code, cooked->data + cooked->len);
}

/* An escape sequence, lexer->at behind the backslash. NULL, or what is wrong with it. */
static const char *
read_escape(WfLexer *lexer, Cooked *cooked, bool template)
{
	static const char plain[] = "n\nt\tr\rb\bf\fv\v";
	int			c = byte_at(lexer, lexer->at++);
	const char *found = c > 0 && c < 0x80 ? strchr("ntrbfv", c) : NULL;
	int64		code;

	if (found)
	{
		cooked->data[cooked->len++] = *(strchr(plain, c) + 1);
		return NULL;
	}
	if (c == 'x')
	{
		code = read_hex(lexer, lexer->at, 2);
		lexer->at += 2;
		if (code < 0)
			return "\\x must be followed by two hexadecimal digits";
		add_code(cooked, code);
	}
	else if (c == 'u')
	{
		code = read_unicode(lexer);
		if (code < 0)
			return "\\u must be followed by four hexadecimal digits or {code point}";
		add_code(cooked, code);
	}
	else if (c == '\r')
	{
		if (byte_at(lexer, lexer->at) == '\n')
			lexer->at++;
	}
	else if (c == '\n')
		return NULL;
	else if (c == 0xE2 && byte_at(lexer, lexer->at) == 0x80 &&
			 (byte_at(lexer, lexer->at + 1) == 0xA8 || byte_at(lexer, lexer->at + 1) == 0xA9))
		lexer->at += 2;
	else if (c == '0' && !is_digit(byte_at(lexer, lexer->at)))
		cooked->data[cooked->len++] = '\0';
	else if (is_digit(c))
	{
		if (template || c >= '8')
			return "octal escapes are not allowed";
		return "octal escapes are not allowed; write \\x and two hexadecimal digits";
	}
	else if (c < 0)
		return "string does not end";
	else
		cooked->data[cooked->len++] = (char) c;
	return NULL;
}

static void
lex_string(WfLexer *lexer, WfToken *token, int quote)
{
	const char *s = lexer->source;
	int			start = lexer->at++;
	int			end = lexer->at;
	Cooked		cooked;

	while (end < lexer->len && s[end] != quote && s[end] != '\n' && s[end] != '\r')
		end += s[end] == '\\' ? 2 : 1;
	cooked.data = palloc(Min(end, lexer->len) - start + 8);
	cooked.len = 0;
	for (;;)
	{
		int			c = byte_at(lexer, lexer->at);
		int			before = lexer->at;
		const char *message;

		if (c < 0 || c == '\n' || c == '\r')
		{
			bad(lexer, token, start, "string does not end");
			return;
		}
		lexer->at++;
		if (c == quote)
			break;
		if (c != '\\')
		{
			cooked.data[cooked.len++] = (char) c;
			continue;
		}
		message = read_escape(lexer, &cooked, false);
		if (message != NULL)
		{
			bad(lexer, token, before, message);
			return;
		}
	}
	token->kind = WF_T_STRING;
	token->text = cooked.data;
	token->len = cooked.len;
}

/* The text of a template literal from lexer->at (behind ` or }) to the next ${ or `. */
static void
lex_template(WfLexer *lexer, WfToken *token)
{
	int			start = lexer->at - 1;
	int			room = 64;
	Cooked		cooked = {palloc(room), 0};

	for (;;)
	{
		int			c = byte_at(lexer, lexer->at);
		int			before = lexer->at;
		const char *message;

		if (c < 0)
		{
			bad(lexer, token, start, "template literal does not end");
			return;
		}
		if (cooked.len + 8 > room)
			cooked.data = repalloc(cooked.data, room *= 2);
		lexer->at++;
		if (c == '`')
		{
			token->tail = true;
			break;
		}
		if (c == '$' && byte_at(lexer, lexer->at) == '{')
		{
			lexer->at++;
			if (lexer->n_braces == lexer->braces_capacity)
				lexer->braces = repalloc(lexer->braces, sizeof(int) * (lexer->braces_capacity *= 2));
			lexer->braces[lexer->n_braces++] = 1;
			break;
		}
		if (c == '\r')
		{
			if (byte_at(lexer, lexer->at) == '\n')
				lexer->at++;
			cooked.data[cooked.len++] = '\n';
			continue;
		}
		if (c != '\\')
		{
			cooked.data[cooked.len++] = (char) c;
			continue;
		}
		message = read_escape(lexer, &cooked, true);
		if (message != NULL)
		{
			/* all escapes that may be refused begin with a letter or a digit */
			lexer->at = Min(before + 2, lexer->len);
			token->problem = token->problem ? token->problem : message;
			token->problem_pos = before;
		}
	}
	token->kind = WF_T_TEMPLATE;
	token->text = cooked.data;
	token->len = cooked.len;
}

/* Copies digits without separators; false when a separator is misplaced. */
static bool
collect_digits(WfLexer *lexer, char *out, int *n, int radix)
{
	bool		last_was_digit = false;

	for (;;)
	{
		int			c = byte_at(lexer, lexer->at);
		int64		digit;

		if (c == '_')
		{
			if (!last_was_digit)
				return false;
			last_was_digit = false;
			lexer->at++;
			continue;
		}
		digit = read_hex(lexer, lexer->at, 1);
		if (digit < 0 || digit >= radix)
			break;
		out[(*n)++] = (char) c;
		lexer->at++;
		last_was_digit = true;
	}
	return last_was_digit || byte_at(lexer, lexer->at - 1) != '_';
}

static void
lex_number(WfLexer *lexer, WfToken *token)
{
	int			start = lexer->at;
	int			prefix = byte_at(lexer, lexer->at + 1) | 0x20;
	int			end = start;
	char	   *text;
	int			n = 0;
	int			radix = 10;
	bool		whole = true;
	bool		good;

	while (is_digit(byte_at(lexer, end)) || is_name_start(byte_at(lexer, end)) || byte_at(lexer, end) == '.' ||
		   ((byte_at(lexer, end) == '+' || byte_at(lexer, end) == '-') && (byte_at(lexer, end - 1) | 0x20) == 'e'))
		end++;
	text = palloc(end - start + 2);
	if (byte_at(lexer, start) == '0' && (prefix == 'x' || prefix == 'o' || prefix == 'b'))
	{
		radix = prefix == 'x' ? 16 : prefix == 'o' ? 8 : 2;
		lexer->at += 2;
		good = collect_digits(lexer, text, &n, radix) && n > 0;
		token->number = good ? wf_expr_parse_radix(text, n, radix) : 0;
	}
	else
	{
		uint32		used;

		good = collect_digits(lexer, text, &n, 10);
		if (n > 1 && text[0] == '0')
		{
			bad(lexer, token, start, "a number cannot begin with 0");
			return;
		}
		if (byte_at(lexer, lexer->at) == '.')
		{
			whole = false;
			text[n++] = '.';
			lexer->at++;
			if (is_digit(byte_at(lexer, lexer->at)) || byte_at(lexer, lexer->at) == '_')
				good &= collect_digits(lexer, text, &n, 10);
		}
		if ((byte_at(lexer, lexer->at) | 0x20) == 'e')
		{
			int			before;

			whole = false;
			text[n++] = 'e';
			lexer->at++;
			if (byte_at(lexer, lexer->at) == '+' || byte_at(lexer, lexer->at) == '-')
				text[n++] = lexer->source[lexer->at++];
			before = n;
			good &= collect_digits(lexer, text, &n, 10) && n > before;
		}
		token->number = wf_expr_parse_prefix(text, n, &used);
	}
	if (byte_at(lexer, lexer->at) == 'n' && good && whole)
	{
		lexer->at++;
		token->text = text;
		token->len = n;
		token->number = radix;
		token->kind = WF_T_BIGINT;
		if (n > MAX_BIGINT_DIGITS)
		{
			bad(lexer, token, start, "a literal of more than 10000 digits");
			return;
		}
		if (!is_name_start(byte_at(lexer, lexer->at)) && !is_digit(byte_at(lexer, lexer->at)))
			return;
	}
	if (!good || is_name_start(byte_at(lexer, lexer->at)) || is_digit(byte_at(lexer, lexer->at)))
	{
		bad(lexer, token, start, "malformed number");
		return;
	}
	token->kind = WF_T_NUMBER;
}

static void
lex_name(WfLexer *lexer, WfToken *token)
{
	int			start = lexer->at;
	int			end = start;
	Cooked		cooked = {NULL, 0};

	while (is_name_start(byte_at(lexer, end)) || is_digit(byte_at(lexer, end)) || byte_at(lexer, end) == '\\')
	{
		int			size = 1;

		if (byte_at(lexer, end) >= 0x80 &&
			wf_expr_is_space(wf_expr_decode(lexer->source + end, lexer->source + lexer->len, &size)))
			break;
		if (byte_at(lexer, end) == '\\')
		{
			int64		code;

			if (cooked.data == NULL)
			{
				cooked.data = palloc(lexer->len - start + 8);
				memcpy(cooked.data, lexer->source + start, end - start);
				cooked.len = end - start;
			}
			lexer->at = end + 2;
			code = byte_at(lexer, end + 1) == 'u' ? read_unicode(lexer) : -1;
			if (code < 0 || !(is_name_start(code) || is_digit(code)))
			{
				bad(lexer, token, end, "unexpected character");
				return;
			}
			add_code(&cooked, code);
			end = lexer->at;
			continue;
		}
		if (cooked.data != NULL)
		{
			memcpy(cooked.data + cooked.len, lexer->source + end, size);
			cooked.len += size;
		}
		end += size;
	}
	lexer->at = end;
	token->kind = WF_T_NAME;
	token->escaped = cooked.data != NULL;
	token->text = cooked.data ? cooked.data : pnstrdup(lexer->source + start, end - start);
	token->len = cooked.data ? cooked.len : end - start;
}

static void
lex_regex(WfLexer *lexer, WfToken *token)
{
	int			start = lexer->at++;
	int			flags;
	bool		in_class = false;

	for (;; lexer->at++)
	{
		int			c = byte_at(lexer, lexer->at);

		if (c < 0 || c == '\n' || c == '\r')
		{
			bad(lexer, token, start, "regular expression does not end");
			return;
		}
		if (c == '\\')
			lexer->at++;
		else if (c == '[')
			in_class = true;
		else if (c == ']')
			in_class = false;
		else if (c == '/' && !in_class)
			break;
	}
	token->kind = WF_T_REGEX;
	token->text = pnstrdup(lexer->source + start + 1, lexer->at - start - 1);
	token->len = lexer->at - start - 1;
	flags = ++lexer->at;
	while (is_name_start(byte_at(lexer, lexer->at)) || is_digit(byte_at(lexer, lexer->at)))
		lexer->at++;
	token->flags = pnstrdup(lexer->source + flags, lexer->at - flags);
}

static void
lex_punct(WfLexer *lexer, WfToken *token)
{
	static const char *const known[] = {">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=",
		"?\?=", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=",
		"&=", "|=", "^=", "<<", ">>", "**"};
	int			c = byte_at(lexer, lexer->at);
	int			left = lexer->len - lexer->at;
	int			len = 0;

	for (int i = 0; i < lengthof(known) && len == 0; i++)
	{
		int			n = strlen(known[i]);

		if (n <= left && memcmp(lexer->source + lexer->at, known[i], n) == 0)
			len = n;
	}
	/* `a?.5:b` is a ternary */
	if (len == 2 && c == '?' && byte_at(lexer, lexer->at + 1) == '.' && is_digit(byte_at(lexer, lexer->at + 2)))
		len = 1;
	if (len == 0)
	{
		if (strchr("{}()[];,<>+-*/%&|^!~?:=.@#", c) == NULL)
		{
			bad(lexer, token, lexer->at, "unexpected character");
			return;
		}
		len = 1;
	}
	token->kind = WF_T_PUNCT;
	token->punct = 0;
	for (int i = 0; i < len; i++)
		token->punct |= (uint32) (unsigned char) lexer->source[lexer->at + i] << (8 * i);
	lexer->at += len;
	if (token->punct == P1('{'))
	{
		if (lexer->n_braces == lexer->braces_capacity)
			lexer->braces = repalloc(lexer->braces, sizeof(int) * (lexer->braces_capacity *= 2));
		lexer->braces[lexer->n_braces++] = 0;
	}
	else if (token->punct == P1('}') && lexer->n_braces > 0)
		lexer->n_braces--;
}

/* True when an operand ended just before: `/` then divides. */
static bool
after_operand(const WfLexer *lexer)
{
	const WfToken *last = lexer->n > 0 ? &lexer->tokens[lexer->n - 1] : NULL;

	if (last == NULL)
		return false;
	switch (last->kind)
	{
		case WF_T_NUMBER:
		case WF_T_BIGINT:
		case WF_T_STRING:
		case WF_T_REGEX:
			return true;
		case WF_T_NAME:
			if (lexer->n > 1 && lexer->tokens[lexer->n - 2].kind == WF_T_PUNCT &&
				(lexer->tokens[lexer->n - 2].punct == P1('.') || lexer->tokens[lexer->n - 2].punct == P2('?', '.')))
				return true;
			return !((last->len == 6 && memcmp(last->text, "typeof", 6) == 0) ||
					 (last->len == 4 && memcmp(last->text, "void", 4) == 0) ||
					 (last->len == 2 && memcmp(last->text, "in", 2) == 0) ||
					 (last->len == 6 && memcmp(last->text, "return", 6) == 0) ||
					 (last->len == 10 && memcmp(last->text, "instanceof", 10) == 0));
		case WF_T_TEMPLATE:
			return last->tail;
		case WF_T_PUNCT:
			return last->punct == P1(')') || last->punct == P1(']') || last->punct == P1('}');
		default:
			return false;
	}
}

static void
lex_next(WfLexer *lexer)
{
	WfToken		token;
	int			c;

	memset(&token, 0, sizeof(token));
	if (skip_space(lexer, &token))
	{
		token.pos = lexer->at;
		c = byte_at(lexer, lexer->at);
		if (c < 0)
			token.kind = WF_T_END;
		else if (c == '\'' || c == '"')
			lex_string(lexer, &token, c);
		else if (c == '`' || (c == '}' && lexer->n_braces > 0 && lexer->braces[lexer->n_braces - 1] == 1))
		{
			if (c == '}')
				lexer->n_braces--;
			lexer->at++;
			lex_template(lexer, &token);
		}
		else if (is_digit(c) || (c == '.' && is_digit(byte_at(lexer, lexer->at + 1))))
			lex_number(lexer, &token);
		else if (is_name_start(c) || c == '\\')
			lex_name(lexer, &token);
		else if (c == '/' && !after_operand(lexer))
			lex_regex(lexer, &token);
		else
			lex_punct(lexer, &token);
	}
	token.end = lexer->at;
	if (lexer->n == lexer->capacity)
		lexer->tokens = repalloc_huge(lexer->tokens, sizeof(WfToken) * (lexer->capacity *= 2));
	lexer->tokens[lexer->n++] = token;
}

/* Token number `index`. Valid until the next call. The end and a BAD token repeat for ever. */
const WfToken *
wf_expr_lex_at(WfLexer *lexer, int index)
{
	while (lexer->n <= index)
	{
		WfTokenKind last = lexer->n > 0 ? lexer->tokens[lexer->n - 1].kind : WF_T_NAME;

		if (last == WF_T_END || last == WF_T_BAD)
			return &lexer->tokens[lexer->n - 1];
		lex_next(lexer);
	}
	return &lexer->tokens[index];
}

/*
 * Finds the token that closes the bracket `index`, and those of all brackets within on the way, so
 * that all look-ups together are linear.
 */
void
wf_expr_lex_match(WfLexer *lexer, int index)
{
	int			capacity = 32;
	int		   *open = palloc(capacity * sizeof(int));
	int			n = 0;

	if (wf_expr_lex_at(lexer, index)->match != 0)
		return;
	for (int i = index;; i++)
	{
		const WfToken *token = wf_expr_lex_at(lexer, i);
		uint32		p = token->kind == WF_T_PUNCT ? token->punct : 0;
		bool		piece = token->kind == WF_T_TEMPLATE;

		if (token->kind == WF_T_END || token->kind == WF_T_BAD)
			break;
		/* a template literal: its first piece opens, the pieces after close and open */
		if (p == P1(')') || p == P1(']') || p == P1('}') || (piece && lexer->source[token->pos] == '}'))
		{
			lexer->tokens[open[--n]].match = i;
			if (n == 0)
				break;
		}
		if (p == P1('(') || p == P1('[') || p == P1('{') || (piece && !token->tail))
		{
			if (n == capacity)
				open = repalloc_huge(open, (capacity *= 2) * sizeof(int));
			open[n++] = i;
		}
	}
	while (n > 0)
		lexer->tokens[open[--n]].match = -1;
	pfree(open);
}
