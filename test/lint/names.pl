#!/usr/bin/perl
# names.pl: SQL of ours that is executed with somebody else's search path names what it means: functions, operators and types with their
# schema, and nothing that looks for an operator by itself (IN, NULLIF, BETWEEN, LIKE, CASE x WHEN, JOIN USING, IS DISTINCT FROM). It looks
# at the extension's script, but for bodies of functions that set their search_path, and at the statements that the engine executes:
# the string literals of C that are SQL, in the rooms that have such. A name that is not qualified there is whatever the tenant has
# put in front of it, executed as wf_engine.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

my @problems;

# What is syntax before a parenthesis, and types that the grammar knows.
my %word = map { $_ => 1 } qw(all and any array as asc by case cast check coalesce cost default desc distinct do else end except exists extract filter for foreach from greatest group
	having if in insert into is join key lateral least limit not nothing null of offset on operator or order over partition primary references returning returns row rows
	select set some table then to trim unique union update using values when where with within exclude generated always identity support elsif return raise execute locked materialized recursive range);
my %grammar_type = map { $_ => 1 } qw(int integer bigint smallint real boolean numeric decimal char character varchar timestamp interval time bit float double);

sub problem { my ($where, $what) = @_; push @problems, "$where: $what"; return }

# Tokens of SQL: [text, line within it]. OPERATOR(...) is one, and so is a name with its schema.
sub tokens
{
	my ($sql) = @_;
	my @found;
	my $line = 0;
	while ($sql =~ /\G(\s+|--[^\n]*|\/\*.*?\*\/|(\$\w*\$).*?\2|E?'(?:[^']|'')*'|"(?:[^"]|"")*"(?:\.\w+)*|OPERATOR\s*\(\s*pg_catalog\.[^\s()]+\s*\)|::|:=|=>|\$\d+|%\d*\$?[ILsdu]|[A-Za-z_]\w*(?:\.(?:\w+|"[^"]*"|%\d*\$?[ILsdu]|\*))*|\d[\w.]*|[-+*\/<>=~!@#%^&|`?]+|.)/gis)
	{
		my $token = $1;
		push @found, [ $token, $line ] if $token !~ /^\s|^--|^\/\*/;
		$line += ($token =~ tr/\n//);
	}
	return @found;
}

# check(sql, file, line, is_plpgsql)
sub check
{
	my ($sql, $file, $first, $is_code) = @_;
	my @t = tokens($sql);
	my @assigns = (0);		# for each open parenthesis: within SET a = ..., b = ...; or names of options
	my $text = sub { my ($i) = @_; return $i >= 0 && $i < @t ? lc $t[$i][0] : '' };
	my $has_join = $sql =~ /\bJOIN\b/i;
	for my $i (0 .. $#t)
	{
		my ($token, $before, $after) = ($text->($i), $text->($i - 1), $text->($i + 1));
		my $where = "$file:" . ($first + $t[$i][1]);
		if ($token eq '(') { push @assigns, $before =~ /^(with|set|storage)$/ ? 2 : 0 }
		elsif ($token eq ')') { pop @assigns if @assigns > 1 }
		elsif ($token eq 'set') { $assigns[-1] = 1 }
		elsif ($token =~ /^(where|from|returning|;)$/ && $assigns[-1] == 1) { $assigns[-1] = 0 }
		elsif ($token =~ /^[-+*\/<>=~!@#%^&|`?]+$/ && $token !~ /^(=>|%[ils])$/)
		{
			next if $token eq '*' && $before =~ /^(\(|select|,|returning|distinct|all)$/;
			next if $token =~ /^[-+]$/ && $after =~ /^\d/ && $before !~ /[\w)'"]$/;
			next if $token eq '=' && $assigns[-1] && $before =~ /^[\w."]+$/ && ($assigns[-1] == 2 || $text->($i - 2) =~ /^(set|,)$/);
			next if $token eq '=' && $is_code && $text->($i - 2) =~ /^(,|using|hint|\()$/ && $before =~ /^(errcode|hint|detail|message)$/;
			problem($where, "operator $token without its schema");
		}
		elsif ($token =~ /^(nullif|between|ilike|similar|natural)$/ || $token eq 'like' && $before ne '(' || $token eq 'from' && $before eq 'distinct')
		{
			problem($where, uc($token eq 'from' ? 'is distinct from' : $token) . ' looks for an operator in the search path');
		}
		elsif ($token eq 'in' && $text->($i - 2) !~ /^(for|foreach)$/ && !($after !~ /^\(/)) { problem($where, 'IN looks for an operator in the search path') }
		elsif ($token eq 'using' && $after eq '(' && $has_join && $before =~ /^[\w.]+$/) { problem($where, 'JOIN USING looks for an operator in the search path') }
		elsif ($token eq 'case' && $after ne 'when') { problem($where, 'CASE x WHEN looks for an operator in the search path') }
		elsif ($token eq '::' && $after !~ /\./ && !$grammar_type{ $after =~ s/\[\]$//r } && $after !~ /^%/) { problem($where, "type $after without its schema") if $after ne '"char"' }
		elsif ($after eq '(' && $token =~ /^[a-z_]\w*$/ && !$word{$token} && !$grammar_type{$token})
		{
			# a name that is given or listed, rather than a function that is called
			next if $before =~ /^(function|table|view|index|into|with|as|on|references|type|key|\)|"[^"]*"|trigger|include|constraint|policy|procedure|recursive|only|to)$/;
			next if $before =~ /^[\w.]+$/ && !$word{$before};
			next if $before eq ',' && $sql =~ /\b\Q$token\E\s*\([\w, ]*\)\s*AS\s*(?:NOT\s+)?(?:MATERIALIZED\s*)?\(/i;
			problem($where, "function $token without its schema");
		}
	}
	return;
}

# -- the extension's script --

for my $file (Source::files('.sql', 'sql/parts'))
{
	my $script = Source::text($file);
	my ($line, $statement, $begun) = (1, '', undef);
	while ($script =~ /\G(--[^\n]*|\/\*.*?\*\/|(\$\w*\$)(.*?)\2|'(?:[^']|'')*'|;|.)/gs)
	{
		my ($piece, $body) = ($1, $3);
		$begun //= $line if $piece =~ /\S/ && $piece !~ /^--/;
		if ($piece eq ';')
		{
			check($statement, $file, $begun) if $statement !~ /^\s*(COMMENT|\\)/i && $statement !~ /pg_extension_config_dump/;
			($statement, $begun) = ('', undef);
		}
		elsif (defined $body && $statement =~ /^\s*DO\b/i)
		{
			check($body, $file, $line, 1);
			# and what it executes
			while ($body =~ /'((?:[^']|'')*)'/g)
			{
				(my $sql = $1) =~ s/''/'/g;
				check($sql, $file, $line + (substr($body, 0, $-[0]) =~ tr/\n//)) if $sql =~ /^(ALTER|CREATE|REVOKE|GRANT|SELECT|INSERT|UPDATE|DELETE|DROP)\b.* /s;
			}
			$statement .= "''";
		}
		elsif (defined $body) { $statement .= "''" . ("\n" x ($piece =~ tr/\n//)) }
		else { $statement .= $piece }
		$line += ($piece =~ tr/\n//);
	}
}

# -- statements in C --

for my $file (Source::files('.c', map { "src/$_" } qw(store engine api worker httpd)), Source::files('.h', 'src/store'))
{
	next if $file =~ /_test\.c$/;
	my $code = Source::code(Source::text($file), 1);
	my %macro = (EQ => ' OPERATOR(pg_catalog.=) ', NE => ' OPERATOR(pg_catalog.<>) ');
	# macros of operators and of lists of columns stand between the literals of one statement
	while ($code =~ /((?:"(?:\\.|[^"\\])*"|\b[A-Z][A-Z0-9_]*\b|\s+)*"(?:\\.|[^"\\])*"(?:\s*(?:"(?:\\.|[^"\\])*"|\b[A-Z][A-Z0-9_]+\b(?!\s*[\(\]])))*)/g)
	{
		my ($chunk, $at) = ($1, $-[0]);
		my $sql = '';
		while ($chunk =~ /("(?:\\.|[^"\\])*")|(\n)|([A-Z][A-Z0-9_]+)/g)
		{
			if (defined $1) { (my $s = substr($1, 1, -1)) =~ s/\\"/"/g; $s =~ s/\\n/ /g; $sql .= $s }
			elsif (defined $2) { $sql .= "\n" }
			else { $sql .= $macro{$3} // ' ' }
		}
		next if $sql !~ /^[\s,]*(\w+ \([\w, ]+\) AS|SELECT|INSERT|UPDATE|DELETE|WITH|LOCK|CREATE|ALTER|DROP|MERGE|TRUNCATE|COPY)\b\s+\S/ || $sql =~ /^\s*(CREATE EXTENSION|SELECT wf_)/;
		next if $sql !~ /\b(FROM|INTO|SET|TABLE|SELECT)\b/;
		check($sql, $file, 1 + (substr($code, 0, $at) =~ tr/\n//));
	}
}
print "$_\n" for @problems;
exit(@problems > 0);
