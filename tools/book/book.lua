-- SPDX-License-Identifier: GPL-2.0
-- The book: pandoc reads book.md, this filter makes a book of it.
--
-- The metadata of book.md lists the chapters. Each is read on its own, so
-- that every complaint can name file and line. Then, in document order:
--
--   number()   gives every heading, listing, figure, table, quiz and
--              exercise its number, cuts code out of source files, draws
--              figures, fills in results, takes the answers out
--   link()     fills in references, once all targets are known, and the
--              tables of what is the same elsewhere
--
-- What a chapter may contain is described in tools/book/README.md. Problems
-- are gathered and printed together; with any of them pandoc exits with 1
-- and writes nothing. Works with pandoc 2.17 and 3.

local here = PANDOC_SCRIPT_FILE:match('^(.*/)') or './'
package.path = here .. '?.lua;' .. package.path
local region = require 'region'
local coverage = require 'coverage'
local proofs = require 'proofs'
local roads = require 'road'
local stringify = pandoc.utils.stringify

local MAX_COLUMNS, MAX_LINES = 80, 40
local FORMAT = 'markdown-implicit_figures-tex_math_dollars-raw_tex'

---------------------------------------------------------------- complaints

local problems, seen = {}, {}

local function complain(file, line, ...)
  local text = ('%s:%d: %s'):format(file, line, string.format(...))
  if not seen[text] then problems[#problems + 1] = text end
  seen[text] = true
end

-- The line of a chapter that holds a text: pandoc does not tell us.
local function line_of(chapter, text, after)
  for number = (after or 0) + 1, #chapter.lines do
    if chapter.lines[number]:find(text, 1, true) then return number end
  end
  return after and line_of(chapter, text) or 1
end

-- The line that gives an element its identifier: "{#id" or " #id".
local function line_of_id(chapter, id, after)
  for number = (after or 0) + 1, #chapter.lines do
    local line = ' ' .. chapter.lines[number] .. ' '
    local _, last = line:find('#' .. id, 1, true)
    if last and line:sub(last - #id - 1, last - #id - 1):match('[{ ]') and
      line:sub(last + 1, last + 1):match('[} ]') then
      return number
    end
  end
  return after and line_of_id(chapter, id) or 1
end

-- The line on which an element begins, by its identifier or an attribute.
local function place(chapter, element)
  if element.identifier ~= '' then
    return line_of_id(chapter, element.identifier)
  end
  for _, name in ipairs { 'region', 'include', 'row', 'file', 'caption',
                          'steps' } do
    local value = element.attributes[name]
    if value then return line_of(chapter, value) end
  end
  return line_of(chapter, element.classes[1] or '')
end

------------------------------------------------------------------- helpers

local function html(text)
  return pandoc.RawBlock('html', text)
end

local function escape(text)
  return (text:gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;',
                                ['>'] = '&gt;', ['"'] = '&quot;' }))
end

-- lst:zap in a chapter is lst-zap in the page: EPUB allows no colon.
local function slug(id)
  return (id:gsub(':', '-'))
end

local function inlines(text)
  local block = pandoc.read(text, FORMAT).blocks[1]
  return block and block.content or pandoc.List {}
end

-- Run a script beside this one; its one sentence on failure becomes ours.
local function run(script, input, ...)
  local ok, out = pcall(pandoc.pipe, 'python3', { here .. script, ... }, input)
  if ok then return (out:gsub('\n$', '')) end
  local said = type(out) == 'table' and out.output or tostring(out)
  return nil, (said:gsub('%s+$', ''))
end

local function assets(input, ...)
  return run('assets.py', input, ...)
end

------------------------------------------------------- numbers and targets

local targets = {}      -- id -> { text = "Listing 6.1", href = "#lst-zap" }
local words = { lst = 'Listing', fig = 'Figure', tbl = 'Table',
                quiz = 'Quiz', ex = 'Exercise' }

local function define(chapter, id, text, href, line)
  local old = targets[id]
  if old then
    complain(chapter.file, line, 'identifier "%s" is defined twice, first ' ..
             'at %s', id, old.where)
    return
  end
  targets[id] = { text = text, href = href, chapter = chapter.id,
                  where = chapter.file .. ':' .. line }
end

-- Number an element of a kind (lst, fig, ...); returns "Listing 6.1" and
-- the line it is on.
local function count(chapter, kind, element)
  local line = place(chapter, element)
  chapter.counts[kind] = (chapter.counts[kind] or 0) + 1
  local text = ('%s %s.%d'):format(words[kind], chapter.number,
                                   chapter.counts[kind])
  local id = element.identifier
  if not id:match('^' .. kind .. ':[%w:-]+$') then
    complain(chapter.file, line, '%s needs an identifier such as #%s:name, ' ..
             'not "%s"', text, kind, id)
  else
    local old = targets[id]
    if old and old.where:find(chapter.file, 1, true) then
      line = line_of_id(chapter, id, line)
    end
    define(chapter, id, text, '#' .. slug(id), line)
  end
  return text, line
end

local in_text -- forward: what is done to inlines, in captions too

-- What is wider than a phone is moved sideways, by keyboard too.
local function scrolled(content, label)
  return { html(('<div class="scroll" tabindex="0" role="region" ' ..
    'aria-label="%s">'):format(label)) } .. content .. { html('</div>') }
end

-- <figure> with a caption above or below; ORIGIN says where it comes from.
local function figure(chapter, class, label, element, origin, content, below)
  local id = element.identifier
  local caption = pandoc.List { pandoc.Span({ pandoc.Str(label) },
                                { class = 'label' }), pandoc.Space() }
  local own = pandoc.Plain(inlines(element.attributes.caption or ''))
  caption:extend(pandoc.walk_block(own, in_text(chapter)).content)
  if origin then
    caption:extend { pandoc.Space(), pandoc.Span(origin,
                                                 { class = 'origin' }) }
  end
  local blocks = pandoc.List { html('<figcaption>'), pandoc.Plain(caption),
                               html('</figcaption>') }
  if below then
    blocks = pandoc.List(content) .. blocks
  else
    blocks:extend(content)
  end
  blocks:insert(1, html(('<figure class="%s" id="%s">'):format(class, slug(id))))
  blocks:insert(html('</figure>'))
  return blocks
end

local function need_caption(chapter, element, label, line)
  if (element.attributes.caption or '') == '' then
    complain(chapter.file, line, '%s has no caption="..."', label)
  end
end

------------------------------------------------------------------ listings

-- ROWS says on which line of the file each line of TEXT is, if they do not
-- just follow each other. A diff has one column more.
local function check_size(file, line, label, text, rows, columns)
  local lines = 0
  columns = columns or MAX_COLUMNS
  for row in (text .. '\n'):gmatch('(.-)\n') do
    lines = lines + 1
    local width = utf8.len(region.expand(row)) or #row
    if width > columns then
      complain(file, rows and rows[lines] or line + lines - 1,
               '%s is %d columns wide here; %d fit', label, width, columns)
    end
  end
  if lines > MAX_LINES then
    complain(file, line, '%s has %d lines; %d fit on a page', label, lines,
             MAX_LINES)
  end
end

-- "variants/spinlock/my_mmu.c:88, 111": where the parts of a listing begin.
local function origin_of(path, cut)
  local starts, last = {}, 0
  for i = 1, #cut.rows do
    if last == 0 and cut.rows[i] > 0 then
      starts[#starts + 1] = tostring(cut.rows[i])
    end
    last = cut.rows[i]
  end
  return pandoc.Code(path .. ':' .. table.concat(starts, ', '))
end

local function cut_for(chapter, line, path, name)
  local cut, why, where = region.cut(path, name)
  if not cut then
    complain(path, where, '%s (wanted by %s:%d)', why, chapter.file, line)
  end
  return cut
end

local function no_text(chapter, block, label, line, name)
  if block.text:match('%S') then
    complain(chapter.file, line, '%s has text of its own beside %s="%s"',
             label, name, block.attributes[name])
  end
end

local function listing(chapter, block)
  local label, line = count(chapter, 'lst', block)
  need_caption(chapter, block, label, line)
  local path = block.attributes.include
  local cut = cut_for(chapter, line, path, block.attributes.region)
  if not cut then return pandoc.List {} end
  no_text(chapter, block, label, line, 'include')
  check_size(path, cut.first, ('%s (%s:%d)'):format(label, chapter.file, line),
             cut.code, cut.rows)
  coverage.show(path, cut.rows, block.identifier)
  local base = 'code-' .. slug(block.identifier)
  for tag, number in pairs(cut.labels) do
    define(chapter, block.identifier:gsub('^lst:', 'ln:') .. ':' .. tag,
           'line ' .. number, ('#%s-%d'):format(base, number), line)
  end
  local code = pandoc.CodeBlock(cut.code, pandoc.Attr(base, block.classes))
  return figure(chapter, 'listing', label, block, { origin_of(path, cut) },
                { code })
end

-- The lines of a diff of two texts, all of both; CONTEXT, if given, lines
-- around each change.
local function difference(old, new, context)
  local names = { os.tmpname(), os.tmpname() }
  for i, text in ipairs { old, new } do
    local file = assert(io.open(names[i], 'w'))
    file:write(text, '\n')
    file:close()
  end
  local ok, out = pcall(pandoc.pipe, 'diff',
                        { '-U', context or '9999', names[1], names[2] }, '')
  os.remove(names[1])
  os.remove(names[2])
  if ok then return nil end   -- they are the same
  local lines = {}
  for row in out.output:gmatch('([^\n]*)\n') do
    if row:match('^@@') then
      lines[#lines + 1] = #lines > 0 and ' …' or nil
    elseif not row:match('^%-%-%- ') and not row:match('^%+%+%+ ') then
      lines[#lines + 1] = row
    end
  end
  return table.concat(lines, '\n')
end

local function diff_block(chapter, block)
  local label, line = count(chapter, 'lst', block)
  need_caption(chapter, block, label, line)
  local from, to = block.attributes.from, block.attributes.to or ''
  local name = block.attributes.region
  if not name then
    complain(chapter.file, line, '%s has no region="..."', label)
    return pandoc.List {}
  end
  no_text(chapter, block, label, line, 'from')
  local old = cut_for(chapter, line, from, name)
  local new = cut_for(chapter, line, to, name)
  if not old or not new then return pandoc.List {} end
  local text = difference(old.code, new.code, block.attributes.context)
  if not text then
    complain(chapter.file, line, '%s: "%s" is the same in both files', label,
             name)
    return pandoc.List {}
  end
  check_size(chapter.file, line, label, text, setmetatable({}, {
    __index = function() return line end }), MAX_COLUMNS + 1)
  coverage.diff(from, old, to, new, block.identifier)
  local code = pandoc.CodeBlock(text, pandoc.Attr('code-' ..
    slug(block.identifier), { 'diff' }))
  return figure(chapter, 'listing difference', label, block,
                { origin_of(from, old), pandoc.Str(' → '), origin_of(to, new) },
                { code })
end

-- What is typed, and what is printed.
local function console(chapter, block)
  local id = block.identifier
  local line = place(chapter, block)
  local first = block.text:match('[^\n]*%S[^\n]*') or ''
  check_size(chapter.file, line_of(chapter, first, line), 'this code block',
             block.text)
  if id:match('^cmd:') then
    define(chapter, id, nil, '#' .. slug(id), line)
  end
  if block.classes:includes('run') and not id:match('^cmd:') then
    complain(chapter.file, line, 'commands that are run need an identifier ' ..
             'such as #cmd:name')
  end
  local out, typed, typing = {}, false, false
  for row in (block.text .. '\n'):gmatch('(.-)\n') do
    local prompt, command = row:match('^([$#] )(.*)')
    if not prompt and typing then
      prompt, command = row:match('^(> )(.*)')  -- the line above goes on
    end
    typing = command ~= nil
    typed = typed or command ~= nil
    out[#out + 1] = command and
      ('<span class="prompt">%s</span><kbd>%s</kbd>')
        :format(prompt, escape(command)) or escape(row)
  end
  if not typed then
    complain(chapter.file, line, 'no command here: what is typed begins ' ..
             'with "$ "')
  end
  return pandoc.List { html(('<div class="typed"%s><pre class="console" ' ..
    'tabindex="0"><code>%s</code></pre></div>'):format(
    id ~= '' and (' id="%s"'):format(slug(id)) or '',
    table.concat(out, '\n'))) }
end

---------------------------------------------------------------- results

-- Lines of tab-separated cells out of a folder of bench/results.
local folders = {}
local function folder(chapter, element)
  local name = element.attributes.results or chapter.results
  if not name or name == '' then
    return nil, 'no results="folder", neither here nor in the metadata'
  end
  local path = 'bench/results/' .. name
  local known = folders[path]
  if known then return known end
  local facts, why = assets('', 'meta', path)
  if not facts then return nil, why end
  known = { path = path, meta = {} }
  for key, value in facts:gmatch('([^\t\n]+)\t([^\n]*)') do
    known.meta[key] = value
  end
  folders[path] = known
  return known
end

local function rows_of(results, file)
  if results[file] then return results[file] end
  local text, why = assets('', 'table', results.path, file)
  if not text then return nil, why end
  local header
  results[file] = {}
  for line in (text .. '\n'):gmatch('(.-)\n') do
    local cells, i = {}, 0
    for cell in (line .. '\t'):gmatch('(.-)\t') do
      i = i + 1
      cells[header and header[i] or i] = cell
    end
    if header then results[file][#results[file] + 1] = cells end
    header = header or cells
  end
  return results[file]
end

-- row="scenario=populate variant=spinlock" names exactly one row. Those that
-- compare two variants are meant only where against= says so, and of
-- instructions those of one function only where symbol= does.
local function find_row(rows, wanted)
  local found
  for _, row in ipairs(rows) do
    local against = row.against or ''
    local fits = (against == '' or against == 'floor' or
                  wanted:match('against=') ~= nil) and
                 (not row.symbol or row.symbol == '[all]' or
                  wanted:match('symbol=') ~= nil)
    for column, value in wanted:gmatch('([%w_-]+)=(%S+)') do
      fits = fits and row[column] == value
    end
    if fits and found then return nil, 'more than one row fits' end
    if fits then found = row end
  end
  if not found then return nil, 'no row fits' end
  return found
end

local function result(chapter, span)
  local wanted = span.attributes.row or ''
  local column = span.attributes.column or ''
  local file = span.attributes.file or 'summary.csv'
  local function bad(why)
    complain(chapter.file, place(chapter, span), 'result row="%s" ' ..
             'column="%s": %s', wanted, column, why)
    return pandoc.Str('?')
  end
  local results, why = folder(chapter, span)
  if not results then return bad(why) end
  local rows, reason = rows_of(results, file)
  if not rows then return bad(reason) end
  if not wanted:match('=') then return bad('row="column=value ..." is missing') end
  local row, problem = find_row(rows, wanted)
  if not row then return bad(problem .. ' in ' .. results.path) end
  local value = row[column]
  if not value or value == '' then
    return bad('no such value in ' .. results.path .. '/' .. file)
  end
  local digits, factor = span.attributes.digits, span.attributes.factor
  local over, other = span.attributes.over, nil
  if over then
    other, problem = find_row(rows, over)
    if not other then return bad(problem .. ' for over="' .. over .. '"') end
    other = tonumber(other[column])
    if not other or other == 0 then
      return bad('nothing to divide by: over="' .. over .. '"')
    end
  end
  if digits or factor or over then
    local number = tonumber(value)
    if not number then return bad('"' .. value .. '" is not a number') end
    value = ('%.' .. (digits or 0) .. 'f')
      :format(number * (factor or 1) / (other or 1))
  end
  return pandoc.Span({ pandoc.Str(value) },
                     { class = 'result',
                       title = ('from %s/%s: %s, %s')
                         :format(results.path, file, wanted, column) ..
                         (over and ', over ' .. over or '') })
end

------------------------------------------------------------------- figures

-- What the reader must know about the machine, from meta.json. The date
-- is cut to the day; emulation is said out loud.
local function provenance(results)
  local meta = results.meta
  local missing = {}
  for _, key in ipairs { 'host', 'accelerator', 'kernel', 'date' } do
    if (meta[key] or '') == '' then missing[#missing + 1] = key end
  end
  if #missing > 0 then
    return nil, ('%s/meta.json does not say: %s'):format(results.path,
      table.concat(missing, ', '))
  end
  local text = ('Measured on %s (%s), Linux %s, %s; %s.'):format(meta.host,
    meta.accelerator:upper(), meta.kernel,
    meta.date:match('^%d+%-%d+%-%d+') or meta.date, results.path)
  if meta.accelerator:lower():match('^tcg') then
    text = text .. ' Emulated: shapes and counts, not speeds.'
  end
  return text
end

local function drawing(chapter, block, verb)
  local label, line = count(chapter, 'fig', block)
  local attributes = block.attributes
  need_caption(chapter, block, label, line)
  local alt = attributes.alt or ''
  if not alt:match('%S') then
    complain(chapter.file, line, '%s has no alternative text (alt="...")',
             label)
  elseif alt == attributes.caption then
    complain(chapter.file, line, '%s: alternative text and caption are the ' ..
             'same; a screen reader would say it twice', label)
  end
  local svg, why, origin
  local prefix = slug(block.identifier)
  if verb == 'dot' then
    svg, why = assets(block.text, 'dot', prefix, alt)
  else
    local path = attributes.file or ''
    if attributes.results or not path:match('/') then
      local results, missing = folder(chapter, block)
      if not results then
        complain(chapter.file, line, '%s: %s', label, missing)
        return pandoc.List {}
      end
      path = results.path .. '/' .. path
      local text, lacks = provenance(results)
      if not text then
        complain(chapter.file, line, '%s: %s', label, lacks)
        return pandoc.List {}
      end
      origin = { pandoc.Str(text) }
    end
    svg, why = assets('', 'svg', path, prefix, alt)
  end
  if not svg then
    complain(chapter.file, line, '%s: %s', label, why)
    return pandoc.List {}
  end
  if verb == 'dot' then
    return figure(chapter, 'drawing', label, block, origin, { html(svg) }, true)
  end
  return figure(chapter, 'plot', label, block, origin,
                scrolled(pandoc.List { html(svg) }, label), true)
end

-------------------------------------------------------- blocks, one by one

local number -- forward: containers hold blocks of their own

local function code_block(chapter, block)
  if block.attributes.include then return listing(chapter, block) end
  if block.attributes.from then return diff_block(chapter, block) end
  if block.classes:includes('console') then
    return console(chapter, block)
  elseif block.classes:includes('figure') then
    return drawing(chapter, block, 'svg')
  elseif block.classes:includes('graphviz') then
    return drawing(chapter, block, 'dot')
  end
  local first = block.text:match('[^\n]*%S[^\n]*') or ''
  check_size(chapter.file, line_of(chapter, first), 'this code block',
             block.text)
  return pandoc.List { block }
end

local function header(chapter, block)
  local id, title = block.identifier, stringify(block.content)
  local line = id:match(':') and line_of_id(chapter, id) or
    line_of(chapter, title:match('^[^`"\']+') or title)
  local text
  if block.level == 1 then
    block.attributes.file = chapter.file:match('([^/]+)%.md$')
    text = chapter.word .. ' ' .. chapter.number
    if chapter.title then
      complain(chapter.file, line, 'a chapter has one heading of level 1; ' ..
               'this is the second')
    end
    chapter.title, chapter.id = block.content, id
  elseif block.level == 2 and not block.classes:includes('unnumbered') then
    chapter.counts.sec = (chapter.counts.sec or 0) + 1
    text = ('Section %s.%d'):format(chapter.number, chapter.counts.sec)
  end
  if id:match('^ch:') or id:match('^sec:') then
    define(chapter, id, text or title, '#' .. slug(id), line)
    block.identifier = slug(id)
  else
    block.identifier = ('c%s-%s'):format(chapter.number, id)
  end
  if text then
    block.content:insert(1, pandoc.Space())
    block.content:insert(1, pandoc.Span({
      pandoc.Str((text:gsub('^Section ', ''))) }, { class = 'number' }))
  end
  return pandoc.List { block }
end

-- How wide a column is follows from what stands in it, not from how many
-- dashes were typed.
local function free_columns(blocks)
  return pandoc.walk_block(pandoc.Div(blocks), {
    Table = function(element)
      for i, spec in ipairs(element.colspecs) do
        element.colspecs[i] = { spec[1], nil }
      end
      return element
    end }).content
end

-- What is asked, and the blocks of its inner divs, by class.
local function parts_of(div, ...)
  local asked, inner = pandoc.List {}, {}
  for _, block in ipairs(div.content) do
    local class
    for _, name in ipairs { ... } do
      if block.t == 'Div' and block.classes:includes(name) then class = name end
    end
    if class then
      inner[class] = (inner[class] or pandoc.List {}) .. block.content
    else
      asked:insert(block)
    end
  end
  return asked, inner
end

local function titled(text)
  return pandoc.Para { pandoc.Strong { pandoc.Str(text) } }
end

-- A quiz: what is asked stays, the answer goes to the back.
local function quiz(chapter, div)
  local label, line = count(chapter, 'quiz', div)
  local asked, inner = parts_of(div, 'answer')
  local id, answer = slug(div.identifier), inner.answer
  if not answer or #answer == 0 then
    complain(chapter.file, line, '%s has no answer', label)
    return pandoc.List {}
  end
  asked = number(chapter, asked)
  asked:insert(1, titled(label))
  asked:insert(pandoc.Para {
    pandoc.Link('Answer', '#answer-' .. id, '',
                { ['aria-label'] = 'Answer to ' .. label }) })
  answer = number(chapter, answer)
  answer:insert(1, pandoc.Para {
    pandoc.Strong { pandoc.Str('Answer to ' .. label) }, pandoc.Space(),
    pandoc.Link('back', '#' .. id, '',
                { ['aria-label'] = 'Back to ' .. label }) })
  chapter.answers:insert(pandoc.Div(answer, pandoc.Attr('answer-' .. id,
                                                        { 'answer' })))
  return pandoc.List { pandoc.Div(asked, pandoc.Attr(id, { 'quiz' })) }
end

-- Does a piece of code say how something is checked? Nil if it names a test, a
-- target or a script that is not there, and why.
local function is_check(code)
  if code:match('^g%d+_[%w_*?]+$') or code:match('^event_[%w_*?]+$') then
    if proofs.has_test(code) then return true end
    return nil, ('there is no test "%s" in tests/t-*.c'):format(code)
  end
  local typed = code:gsub('^[%u_]+=%S+ ', '')
  local target, command = typed:match('^make ([%l-]+)'), typed:match('^%S+')
  local lines = command:match('%w/') and region.read(command)
  if target and not region.has_line('Makefile', target .. ':') then
    return nil, ('`%s`: there is no such target'):format(code)
  elseif command:match('%w/') and typed:match(' ') and not lines then
    return nil, ('`%s`: there is no such script'):format(code)
  elseif lines then
    return lines[1]:match('^#!') ~= nil
  end
  return proofs.has_mutant(code) or typed:match('^[%w.-]+ %S') ~= nil
end

-- "Checked by ...": words that name a command, a test or a mutant; a list of
-- two to four points, which is a rubric; or both.
local function checked_by(chapter, label, line, blocks)
  local said, checks, points = pandoc.List {}, false, 0
  local function say(...) said:extend { pandoc.Space(), ... } end
  for _, block in ipairs(blocks) do
    if block.t == 'BulletList' then
      say(pandoc.Str(#said == 0 and 'a rubric:' or 'Rubric:'))
      points = #block.content
      for i, item in ipairs(block.content) do
        say(table.unpack(item[1].content))
        said:insert(pandoc.Str(i < points and ';' or '.'))
      end
    else
      pandoc.walk_block(block, { Code = function(code)
        local found, why = is_check(code.text)
        if why then complain(chapter.file, line, '%s: %s', label, why) end
        checks = checks or found
      end })
      say(table.unpack(block.content))
    end
  end
  if not checks and (points < 2 or points > 4) then
    complain(chapter.file, line, '%s is checked neither by a command, a test ' ..
             'or a mutant, nor by a rubric of two to four points', label)
  end
  said:insert(1, pandoc.Strong {
    pandoc.Str(blocks[1].t == 'BulletList' and 'Checked by' or 'Checked by:') })
  return pandoc.Para(said)
end

-- An exercise: how it is checked stands below it; its answer is read, and
-- left out where instructors() does not say otherwise.
local function exercise(chapter, div)
  local label, line = count(chapter, 'ex', div)
  local asked, inner = parts_of(div, 'checked', 'answer')
  if not inner.checked or #inner.checked == 0 then
    complain(chapter.file, line, '%s does not say how it is checked ' ..
             '(::: checked)', label)
    return pandoc.List {}
  elseif not inner.answer or #inner.answer == 0 then
    complain(chapter.file, line, '%s has no answer for instructors', label)
    return pandoc.List {}
  end
  asked = number(chapter, asked)
  asked:insert(1, titled(label))
  asked:insert(checked_by(chapter, label, line, inner.checked))
  local function numbered()
    local sum = 0
    for _, n in pairs(chapter.counts) do sum = sum + n end
    return sum
  end
  local before = numbered()
  local answer = free_columns(number(chapter, inner.answer))
  if numbered() > before then
    complain(chapter.file, line, 'the answer to %s has a number of its own ' ..
             'in it, which the students\' book would lack', label)
  end
  answer:insert(1, titled('Answer'))
  asked:insert(pandoc.Div(answer, pandoc.Attr('', { 'answer', 'instructors' })))
  return pandoc.List { pandoc.Div(asked, pandoc.Attr(slug(div.identifier),
                                                     { 'exercise' })) }
end

-- m->lock must not break at its hyphen.
local function keep_together(code)
  if #code.text <= 28 then code.classes:insert('short') end
  return code
end

local function codes_of(text)
  return pandoc.walk_block(pandoc.Plain(inlines(text)),
                           { Code = keep_together }).content
end

-- Who forces an interleaving, and who lets it through, as its origin.
local function race_origin(chapter, div)
  local says = div.attributes
  local text, why = proofs.of_race(says.test or '', says.breaks or '',
                                   says.mutants or '')
  if not text then
    complain(chapter.file, place(chapter, div), '%s', why)
  elseif text ~= '' then
    return codes_of(text)
  end
end

local function table_figure(chapter, div, content)
  local label, line = count(chapter, 'tbl', div)
  need_caption(chapter, div, label, line)
  return figure(chapter, table.concat(div.classes, ' '), label, div,
                race_origin(chapter, div),
                scrolled(free_columns(content), label)), line
end

-- What is the same elsewhere is known at the end; until then, an empty table.
local function same(chapter, div)
  local file, other = div.attributes.file or '', div.attributes.as or ''
  local blocks, line = table_figure(chapter, div, {
    pandoc.Div({}, pandoc.Attr('', { 'twins' }, { file = file, as = other })) })
  for _, path in ipairs { file, other } do
    if not region.units(path) then
      local _, why, where = region.units(path)
      complain(path, where, '%s (wanted by %s:%d)', why, chapter.file, line)
      return pandoc.List {}
    end
  end
  coverage.same(file, other)
  return blocks
end

-- What the rules of the race say, as blocks.
local function race_table(...)
  local ok, out = pcall(pandoc.pipe, 'mujs',
                        { here .. 'race-table.js', here, ... }, '')
  if ok then return pandoc.read(out, FORMAT).blocks end
  local said = type(out) == 'table' and out.output or tostring(out)
  return nil, (said:gsub('%s+$', ''))
end

local function schedule(chapter, div)
  local rows, why = race_table('schedule', div.attributes.design or '',
                               div.attributes.steps or '')
  if not rows then
    complain(chapter.file, place(chapter, div), '%s', why)
    return pandoc.List {}
  end
  div.classes = { 'interleaving', 'schedule' }
  return (table_figure(chapter, div, rows))
end

-- The tests, or the mutants, of a guarantee.
local function proof(chapter, div, kind)
  local text, why = proofs.table(kind, div.attributes.guarantee or '')
  if not text then
    complain(chapter.file, place(chapter, div), '%s', why)
    return pandoc.List {}
  end
  div.classes, div.attributes.guarantee = { 'proof' }, nil
  local rows = pandoc.walk_block(pandoc.Div(pandoc.read(text, FORMAT).blocks),
                                 { Code = keep_together })
  return (table_figure(chapter, div, rows.content))
end

-- The mutants that make a mistake of the skeleton, in running text.
local function mutants_of(chapter, span)
  local text, why = proofs.of_bug(span.attributes.breaks or '',
                                  span.attributes.also or '')
  if not text then
    complain(chapter.file, line_of(chapter, span.attributes.also), '%s', why)
    return {}
  end
  return codes_of(text)
end

-- The script finds its place by the class.
local function race_player(chapter, div)
  local rows, why = race_table('summary')
  if not rows then
    complain(chapter.file, place(chapter, div), '%s', why)
    return pandoc.List {}
  end
  return pandoc.List { html('<div class="race"></div>') } ..
    (table_figure(chapter, div, rows))
end

local function ids_of(text)
  local ids = pandoc.List {}
  for id in (text or ''):gmatch('%S+') do ids:insert(id) end
  return ids
end

-- "Chapter 1, Chapter 5 and Chapter 6", as references.
local function references(ids)
  local out = pandoc.List {}
  for i, id in ipairs(ids) do
    if i > 1 then
      out:insert(pandoc.Str(i < #ids and ',' or ' and'))
      out:insert(pandoc.Space())
    end
    out:insert(pandoc.Link({}, '#' .. id))
  end
  return out
end

local function hours_of(chapter, div)
  local hours = tonumber(div.attributes.hours or '')
  if hours then return hours end
  complain(chapter.file, place(chapter, div), 'a road needs hours="2"')
  return 0
end

-- "about 3 hours", for a reader who tries the commands
local function duration(hours)
  return hours == 1 and 'about an hour' or
    ('about %g hours'):format(hours)
end

-- What a chapter is about, on its own page and in the list of all.
local function road(chapter, div)
  local needs, hours = ids_of(div.attributes.needs), hours_of(chapter, div)
  local later = ids_of(div.attributes.later)
  local title = stringify(chapter.title or ''):gsub('^%S+ %S+ ', '')
  roads.add { id = chapter.id, label = chapter.word .. ' ' .. chapter.number,
              word = chapter.number .. '. ' .. title, needs = needs, later = later,
              hours = hours, file = chapter.file }
  chapter.road = true
  local line = pandoc.List { pandoc.Str(duration(hours)) }
  if #needs > 0 then
    line:extend { pandoc.Str('; builds on') , pandoc.Space() }
    line:extend(references(needs))
  end
  if #later > 0 then
    line:extend { pandoc.Str('; exercises lead on to'), pandoc.Space() }
    line:extend(references(later))
  end
  return pandoc.List { pandoc.Div(
    div.content .. { pandoc.Div({ pandoc.Para(line) },
                                pandoc.Attr('', { 'needs' })) },
    pandoc.Attr('', { 'road' })) }
end

-- The drawing of what builds on what, in the preface.
local function road_map(preface)
  local svg, why = assets(roads.map(), 'dot', 'road', roads.map_in_words())
  if svg then
    return pandoc.Div({ html(svg) }, pandoc.Attr('', { 'road-map', 'scroll' }, {
      tabindex = '0', role = 'region', ['aria-label'] = 'What builds on what' }))
  end
  complain(preface.file, 1, 'the map of the chapters: %s', why)
end

local function track(preface, div)
  local read, skim = ids_of(div.attributes.read), ids_of(div.attributes.skim)
  local hours = roads.track(read, skim, function(...)
    complain(preface.file, place(preface, div), ...) end)
  local line = pandoc.List { pandoc.Str('Read ') }
  line:extend(references(read))
  line:insert(pandoc.Str((' (%s)'):format(duration(hours))))
  if #skim > 0 then
    line:insert(pandoc.Str('; skim '))
    line:extend(references(skim))
  end
  line:insert(pandoc.Str('.'))
  return pandoc.Div(div.content .. { pandoc.Para(line) },
                    pandoc.Attr('', { 'track' }))
end

-- Once all chapters are read: the preface's map and tracks.
local function roads_of_preface(preface)
  for i, block in ipairs(preface.blocks) do
    if block.t == 'Div' and block.classes:includes('road-map') then
      preface.blocks[i] = road_map(preface)
    elseif block.t == 'Div' and block.classes:includes('track') then
      preface.blocks[i] = track(preface, block)
    end
  end
end

local function division(chapter, div)
  local classes = div.classes
  if classes:includes('road') then
    return road(chapter, div)
  elseif classes:includes('quiz') then
    return quiz(chapter, div)
  elseif classes:includes('exercise') then
    return exercise(chapter, div)
  elseif classes:includes('schedule') then
    return schedule(chapter, div)
  elseif classes:includes('race-player') then
    return race_player(chapter, div)
  elseif classes:includes('mutants') or classes:includes('tests') then
    return proof(chapter, div, classes:includes('tests') and 'tests' or
                 'mutants')
  elseif classes:includes('same') then
    return same(chapter, div)
  elseif classes:includes('table') or classes:includes('interleaving') then
    return (table_figure(chapter, div, number(chapter, div.content)))
  elseif classes:includes('answer') or classes:includes('checked') then
    complain(chapter.file, place(chapter, div), 'an answer, or how it is ' ..
             'checked, outside of a quiz or an exercise')
  end
  div.content = number(chapter, div.content)
  return pandoc.List { div }
end

-- Lists and quotations hold blocks, too: a filter inside the filter.
local function nested(chapter, block)
  local walked = pandoc.walk_block(pandoc.Div { block }, {
    CodeBlock = function(code) return code_block(chapter, code) end })
  return walked.content
end

local function raw(chapter, element)
  if not element.text:match('^%s*<!%-%-') then
    complain(chapter.file, line_of(chapter, element.text:match('[^\n]*')),
             'raw HTML would be missing from EPUB and PDF')
  end
  return pandoc.List {}
end

-- Numbers that look measured, in running text; those in spans of class
-- "result" and "given" have been replaced by then.
local MEASURES = { '%%', '×', 'times%f[%A]', 'percent', 'per cent', 'x%f[%W]',
                   'µs', 'us%f[%A]', 'ms%f[%A]', 'ns%f[%A]', 's%f[%A]',
                   'seconds?', 'minutes?' }

local function typed_numbers(chapter, inlines_of_it)
  local text = stringify(pandoc.walk_block(pandoc.Plain(inlines_of_it), {
    Code = function() return pandoc.Str('\1') end,
    Cite = function() return pandoc.Str('\1') end,
    Span = function(span)
      if span.classes:includes('result') or span.classes:includes('given') then
        return pandoc.Str('\1')
      end
    end })):gsub('\u{a0}', ' ')
  for _, unit in ipairs(MEASURES) do
    for at, found in text:gmatch('%f[%w]()(%d[%d.,]*%s?' .. unit .. ')') do
      local after = text:sub(at + #found, at + #found + 12)
      if not after:match('^ interval') and not after:match('^ confidence') then
        local digits = found:match('^[%d.,]*%d')
        chapter.typed[#chapter.typed + 1] = { text = found, line = line_of(
          chapter, found, 0), digits = digits }
      end
    end
  end
end

local bibliography = {} -- key -> { chapter, line } of its first use

function in_text(chapter)
  return {
    Cite = function(cite)
      for _, citation in ipairs(cite.citations) do
        bibliography[citation.id] = bibliography[citation.id] or
          { chapter = chapter,
            line = line_of(chapter, '@' .. citation.id) }
      end
    end,
    RawInline = function(element) return raw(chapter, element) end,
    Image = function(element)
      complain(chapter.file, line_of(chapter, element.src),
               'images come as figure blocks, with caption and alt')
    end,
    Code = keep_together,
    Span = function(element)
      if element.classes:includes('result') then
        return result(chapter, element)
      elseif element.classes:includes('mutants') then
        return mutants_of(chapter, element)
      end
    end,
    Para = function(element) typed_numbers(chapter, element.content) end,
    Plain = function(element) typed_numbers(chapter, element.content) end,
  }
end

local handlers = { CodeBlock = code_block, Header = header, Div = division,
                   RawBlock = raw, BulletList = nested, OrderedList = nested,
                   BlockQuote = nested, DefinitionList = nested }

function number(chapter, blocks)
  local out = pandoc.List {}
  for _, block in ipairs(blocks) do
    local handler = handlers[block.t]
    if handler then
      out:extend(handler(chapter, block))
    else
      out:insert(block)
    end
  end
  return out
end

---------------------------------------------------------------- references

-- "Listing 6.1: a, b" for each listing that shows what is the same.
local function twin_table(div, said)
  local rows, at = {}, {}
  for _, unit in ipairs(said) do
    local row = at[unit.label]
    if not row then
      row = { label = unit.label, names = {} }
      at[unit.label], rows[#rows + 1] = row, row
    end
    row.names[#row.names + 1] = '`' .. unit.name .. '`'
  end
  local text = { '| what | shown in |', '|------|----|' }
  for _, row in ipairs(rows) do
    text[#text + 1] = ('| %s | [](#%s) |'):format(
      table.concat(row.names, ', '), row.label)
  end
  div.content = #rows == 0 and
    { pandoc.Para { pandoc.Str('(nothing that is shown yet)') } } or
    pandoc.read(table.concat(text, '\n'), FORMAT).blocks
  return div
end

-- The book for instructors has the answers to the exercises.
local function instructors() return os.getenv('ANSWERS') == '1' end

-- Blocks as students get them.
local function for_students(blocks)
  return pandoc.walk_block(pandoc.Div(blocks), { Div = function(div)
    if div.classes:includes('instructors') then return {} end
  end }).content
end

-- How often the text of one chapter, and its exercises alone, refer to another.
local references_made, references_asked = {}, {}

local function count_into(all, chapter, block)
  local made = all[chapter.id or ''] or {}
  all[chapter.id or ''] = made
  pandoc.walk_block(block, { Link = function(element)
    local target = targets[element.target:match('^#(.+)$') or '']
    if target and target.chapter and target.chapter ~= chapter.id then
      made[target.chapter] = (made[target.chapter] or 0) + 1
    end
  end })
end

local function count_references(chapter, blocks)
  local all = pandoc.Div(for_students(blocks))
  count_into(references_made, chapter, all)
  pandoc.walk_block(all, { Div = function(div)
    if div.classes:includes('exercise') then
      count_into(references_asked, chapter, div)
    end
  end })
end

local function link(chapter, blocks)
  local function follow(element)
    local id = element.target:match('^#(.+)$')
    if not id or id:match('^answer%-') or id:match('^quiz%-') or
      id:match('^ex%-') then
      return
    end
    local target = targets[id]
    if not target then
      complain(chapter.file, line_of(chapter, '#' .. id .. ')'),
               'reference to "%s", which nothing defines', id)
      return
    end
    element.target = target.href
    if #element.content == 0 and not target.text then
      complain(chapter.file, line_of(chapter, '#' .. id .. ')'),
               'the reference to "%s" needs words of its own', id)
    elseif #element.content == 0 then
      element.content = { pandoc.Str((target.text:gsub(' ', '\u{a0}'))) }
    end
    return element
  end
  count_references(chapter, blocks)
  local filled = pandoc.walk_block(pandoc.Div(blocks), {
    Div = function(div)
      if div.classes:includes('twins') then
        local pair = div.attributes.file .. ' ' .. div.attributes.as
        div.attributes = {}     -- HTML has another meaning for "as"
        return twin_table(div, coverage.said[pair] or {})
      end
    end })
  local linked = pandoc.walk_block(filled, { Link = follow }).content
  return instructors() and linked or for_students(linked)
end

--------------------------------------------- what the book as a whole lacks

-- While a book is written, some of its rules are only notes:
-- "coverage: note" in the metadata of book.md, until it says "fail".
local function rule(meta, name, file, line, ...)
  if stringify(meta[name] or 'note') == 'fail' then
    complain(file, line, ...)
    return true
  end
end

local function note(...)
  io.stderr:write('note: ', string.format(...), '\n')
end

local function plural(n, one, many)
  return n == 1 and '1 ' .. one or ('%d %s'):format(n, many)
end

-- Marked regions of the source that no chapter shows.
local function unused(meta)
  local folders_of_code, left = {}, 0
  for _, item in ipairs(meta.code or {}) do
    local name = stringify(item)
    if pcall(pandoc.pipe, 'test', { '-d', name }, '') then
      folders_of_code[#folders_of_code + 1] = name
    end
  end
  if #folders_of_code == 0 then return end
  -- A patch has the marks of the file it is about
  local ok, found = pcall(pandoc.pipe, 'grep', { '-rlIE', '--exclude=*.patch',
    '^\\s*(/\\*|#|//)\\s*region:', table.unpack(folders_of_code) }, '')
  for path in (ok and found or ''):gmatch('[^\n]+') do
    local units, why, where = region.units(path)
    if not units then complain(path, where, '%s', why) end
    for _, unit in ipairs(units or {}) do
      if unit.marked and not coverage.is_shown(path, unit) then
        left = left + 1
        rule(meta, 'unused-regions', path, unit.first - 1,
             'no chapter shows region "%s"', unit.name)
      end
    end
  end
  if left > 0 then
    note('%s in no chapter yet', plural(left, 'marked region of the code is',
                                        'marked regions of the code are'))
  end
end

-- Lines of the files that the book is about that no listing has.
local function uncovered(meta)
  local paths = {}
  for _, item in ipairs(meta.literate or {}) do
    paths[#paths + 1] = stringify(item)
  end
  if #paths == 0 then return end
  local percent, missing = coverage.report(paths)
  if not percent then
    complain('book.md', 1, 'literate: %s cannot be read', missing)
    return
  end
  note('literate coverage: %.1f %%', percent)
  for _, run in ipairs(missing) do
    local names = table.concat(run.names, ', ', 1, math.min(3, #run.names))
    if #run.names > 3 then
      names = ('%s, and %d more'):format(names, #run.names - 3)
    end
    if not rule(meta, 'coverage', run.path, run.first,
                'down to line %d, this is in no listing: %s', run.last, names)
    then
      note('not shown: %s:%d-%d (%s)', run.path, run.first, run.last, names)
    end
  end
end

local function typed(meta, chapters)
  for _, chapter in ipairs(chapters) do
    for _, found in ipairs(chapter.typed) do
      if not rule(meta, 'numbers', chapter.file, found.line, '"%s" is typed; ' ..
        'take it from results, or mark it as given: [%s]{.given}', found.text,
        found.text) then
        note('%s:%d: "%s" is typed: from results, or [..]{.given}',
             chapter.file, found.line, found.text)
      end
    end
  end
end

local function uncited(meta)
  local keys, cites = {}, pandoc.List {}
  for key in pairs(bibliography) do keys[#keys + 1] = key end
  if #keys == 0 then return end
  table.sort(keys)
  for _, key in ipairs(keys) do
    cites:insert(pandoc.Cite({}, { pandoc.Citation(key, 'NormalCitation') }))
  end
  local known = {}
  for _, entry in ipairs(pandoc.utils.references(
    pandoc.Pandoc({ pandoc.Para(cites) }, meta))) do
    known[entry.id] = true
  end
  for _, key in ipairs(keys) do
    if not known[key] then
      local where = bibliography[key]
      complain(where.chapter.file, where.line, 'no source "%s" in the ' ..
               'bibliography', key)
    end
  end
end

------------------------------------------------------------------ assembly

local function chapter_of(path, meta)
  local lines = region.read(path)
  if not lines then
    complain('book.md', 1, 'chapter %s cannot be read', path)
    return nil
  end
  local id = path:match('([^/]+)%.md$') or path
  local name = id:match('^(%w+)%-') or id
  return { file = path, lines = lines, counts = {}, answers = pandoc.List {},
           typed = {}, word = tonumber(name) and 'Chapter' or 'Appendix',
           number = tonumber(name) and tostring(math.tointeger(name)) or name,
           results = stringify(meta.results or '') }
end

local function read_chapter(chapter)
  local text = table.concat(chapter.lines, '\n') .. '\n'
  local doc = pandoc.read(text, FORMAT)
  if doc.meta.results then chapter.results = stringify(doc.meta.results) end
  local blocks = pandoc.walk_block(pandoc.Div(doc.blocks),
                                   in_text(chapter)).content
  chapter.blocks = number(chapter, blocks)
  if not chapter.title then
    complain(chapter.file, 1, 'the chapter has no heading of level 1')
  end
  if chapter.word == 'Chapter' and not chapter.road then
    complain(chapter.file, 1, 'the chapter does not say what it builds on: ' ..
             '::: {.road needs="ch:one" hours="2"}')
  end
end

-- Its title is on each page.
local function mark_as_instructors(blocks, meta)
  meta.title = pandoc.MetaInlines(inlines(
    stringify(meta.title) .. ", instructor's copy"))
  blocks:insert(1, pandoc.Para(inlines('**Instructor\'s copy.** It has an ' ..
    'answer below each exercise. The students\' copy has none of these.')))
end

function Pandoc(doc)
  local chapters = pandoc.List {}
  local tests, lacks = run('proofs.py', '', 'list')
  if tests then proofs.read(tests) else complain('book.md', 1, '%s', lacks) end
  local preface = chapter_of('book.md', doc.meta)
  preface.number, preface.title = '0', {}
  preface.blocks = doc.blocks:filter(function(block)
    return block.t ~= 'RawBlock' end)
  for _, item in ipairs(doc.meta.chapters or {}) do
    local chapter = chapter_of(stringify(item), doc.meta)
    if chapter then
      chapters:insert(chapter)
      read_chapter(chapter)
    end
  end
  coverage.said = coverage.settle()
  roads_of_preface(preface)
  local blocks, answers = link(preface, preface.blocks), pandoc.List {}
  for _, chapter in ipairs(chapters) do
    blocks:extend(link(chapter, chapter.blocks))
    if #chapter.answers > 0 then
      answers:insert(pandoc.Header(2, { pandoc.Str(chapter.word .. ' ' ..
        chapter.number) }, pandoc.Attr('answers-' .. chapter.number)))
      answers:extend(link(chapter, chapter.answers))
    end
  end
  roads.check(references_made, references_asked, function(file, ...) complain(file, 1, ...) end)
  if #answers > 0 then
    blocks:insert(pandoc.Header(1, { pandoc.Str('Answers') },
                                pandoc.Attr('answers', {}, { file = 'answers' })))
    blocks:extend(answers)
  end
  unused(doc.meta)
  uncovered(doc.meta)
  typed(doc.meta, chapters)
  uncited(doc.meta)
  if #problems > 0 then
    io.stderr:write(table.concat(problems, '\n'), '\n')
    os.exit(1)
  end
  if instructors() then mark_as_instructors(blocks, doc.meta) end
  return pandoc.Pandoc(blocks, doc.meta)
end
