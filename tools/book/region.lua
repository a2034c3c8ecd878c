-- SPDX-License-Identifier: GPL-2.0
-- Cut a named region out of a source file that the compiler sees.
--
--	/* region: name */		a line of its own; "# region: name" in
--	...				scripts
--	foo();  /* line: label */	gives the line a name, is cut off
--	...
--	/* endregion: name */
--
-- Regions may nest: marker lines of other regions are dropped. A region
-- may be opened once only, must be closed, and must hold something.
--
-- In C a top-level definition is a region by its own name, with the comment
-- directly above it: "my_mmu_ops", "struct my_mmu". The comment a file begins
-- with is "head". A marked region of that name goes first, a definition goes
-- before a declaration.
--
-- cut(path, names) returns a table
--	code	the text without common indentation, tabs expanded to 8 columns
--	first	number of its first line in the file
--	labels	label -> line number within the listing
--	rows	for each line of the listing its line in the file (0: none)
-- or nil, a sentence, and the line of the file that the sentence is about.
--
-- units(path) returns all that can be shown, { name, first, last, marked }.

local M = {}
local TAB = 8

-- The marker on a line of its own: kind ("region" or "endregion") and name.
local function marker(line)
  local text = line:match('^%s*/%*%s*(.-)%s*%*/%s*$') or
    line:match('^%s*#%s*(.-)%s*$') or line:match('^%s*//%s*(.-)%s*$')
  if not text then return nil end
  local kind, name = text:match('^(%a*region):%s*(%S+)$')
  if kind == 'region' or kind == 'endregion' then return kind, name end
end
M.marker = marker

-- A line without its label, and the label if it has one.
local function unlabel(line)
  local before, label = line:match('^(.-)%s*/%*%s*line:%s*(%S+)%s*%*/%s*$')
  if not before then
    before, label = line:match('^(.-)%s*#%s*line:%s*(%S+)%s*$')
  end
  return before or line, label
end

function M.expand(line)
  local out, column = {}, 0
  for char in line:gmatch(utf8.charpattern) do
    local width = char == '\t' and TAB - column % TAB or 1
    out[#out + 1] = char == '\t' and (' '):rep(width) or char
    column = column + width
  end
  return table.concat(out)
end

local files = {}
function M.read(path)
  if files[path] then return files[path] end
  local file = io.open(path, 'r')
  local text = file and file:read('a')
  if file then file:close() end
  if not text then return nil end
  local lines = {}
  for line in (text:gsub('\r', '') .. '\n'):gmatch('(.-)\n') do
    lines[#lines + 1] = line
  end
  if lines[#lines] == '' then lines[#lines] = nil end
  files[path] = lines
  return lines
end

-- Does a line of a file begin with this?
function M.has_line(path, text)
  for _, line in ipairs(M.read(path) or {}) do
    if line:sub(1, #text) == text then return true end
  end
  return false
end

---------------------------------------------------- definitions of a C file

local ATTRIBUTES = { '__must_hold', '__acquires', '__releases', '__printf',
                     '__attribute__', '__aligned' }

-- What a definition is called, by its text without comments; and whether it
-- is one, or only declares.
local function name_of(text)
  local head = text:match('^#%s*define%s+([%w_]+)')
  if head then return head, true end
  head = text
  for _, attribute in ipairs(ATTRIBUTES) do
    head = head:gsub('%f[%w_]' .. attribute .. '%s*%b()', ' ')
  end
  local body = head:find('[{=]')
  local before = body and head:sub(1, body - 1) or head
  local kind, tag = before:match('^%s*(%a+)%s+([%w_]+)%s*$')
  if body and (kind == 'struct' or kind == 'union' or kind == 'enum') then
    return kind .. ' ' .. tag, true
  end
  local word, inside = before:match('([%a_][%w_]*)%s*%(%s*([%w_]*)')
  if word and word:match('^%u[%u%d_]*$') then
    -- EXPORT_SYMBOL(x), MODULE_LICENSE(x): they say nothing new
    if word:match('^EXPORT_') or word:match('^MODULE_') then return nil end
    return inside, true
  elseif word then
    if word:match('^module_') then return nil end
    return word, body ~= nil
  end
  before = before:gsub('%b[]', ''):gsub('[%s;]+$', '')
  return before:match('[%s%*]([%a_][%w_]*)$'), body ~= nil
end

-- Without comments and strings, which may hold any bracket.
local function bare(line, in_comment)
  local out, at = {}, 1
  while at <= #line do
    if in_comment then
      local _, close = line:find('*/', at, true)
      if not close then return table.concat(out), true end
      at, in_comment = close + 1, false
    elseif line:sub(at, at + 1) == '/*' then
      in_comment, at = true, at + 2
    elseif line:sub(at, at + 1) == '//' then
      break
    else
      local char = line:sub(at, at)
      if char == '"' or char == "'" then
        local close = at + 1
        while close < #line and line:sub(close, close) ~= char do
          close = close + (line:sub(close, close) == '\\' and 2 or 1)
        end
        at = close
      else
        out[#out + 1] = char
      end
      at = at + 1
    end
  end
  return table.concat(out), in_comment
end

-- The last line of what begins at FIRST, and its text without comments.
local function statement(lines, first)
  if lines[first]:match('^#') then
    local last = first
    while lines[last]:match('\\$') and lines[last + 1] do last = last + 1 end
    return last, lines[first]
  end
  local depth, braces, in_comment, text = 0, false, false, {}
  for number = first, #lines do
    local code
    code, in_comment = bare(lines[number], in_comment)
    text[#text + 1] = code
    depth = depth + select(2, code:gsub('[{(]', '')) -
      select(2, code:gsub('[})]', ''))
    braces = braces or code:find('{', 1, true) ~= nil
    local ended = code:match(';%s*$') or (braces and code:match('^}%s*$'))
    if depth <= 0 and (ended or not lines[number + 1] or
                       (not braces and lines[number + 1] == '')) then
      return number, table.concat(text, ' ')
    end
  end
  return #lines, table.concat(text, ' ')
end

local function definitions(lines)
  local out, number, comment = {}, 1, nil
  while number <= #lines do
    local line, last = lines[number], number
    if marker(line) then
      last = number
    elseif line:match('^/%*') then
      local in_comment = select(2, bare(line, false))
      while in_comment and lines[last + 1] do
        last = last + 1
        _, in_comment = bare(lines[last], true)
      end
      comment = { first = number, last = last }
      if #out == 0 and not line:find('SPDX-License-Identifier', 1, true) then
        out[1] = { name = 'head', first = number, last = last }
      end
    elseif line:match('^[%a_]') or line:match('^#%s*define%s') then
      local text
      last, text = statement(lines, number)
      local name, is_body = name_of(text)
      local above = comment and comment.last == number - 1
      if name and name ~= '' and name ~= 'struct' then
        out[#out + 1] = { name = name, body = is_body, last = last,
                          first = above and comment.first or number }
      elseif out[#out] and out[#out].last == number - 1 and
        text:match('^EXPORT_') then
        out[#out].last = last
      end
    end
    number = last + 1
  end
  return out
end

------------------------------------------------------------ what a file has

-- All marked regions, or a sentence and a line.
local function marked(lines)
  local out, open = {}, {}
  for number, line in ipairs(lines) do
    local kind, name = marker(line)
    local old = name and open[name]
    if kind == 'region' then
      if old then
        return nil, ('region "%s" is opened twice, first on line %d')
          :format(name, old.first - 1), number
      end
      open[name] = { name = name, first = number + 1, marked = true }
      out[#out + 1] = open[name]
    elseif kind == 'endregion' then
      if not old or old.last then
        return nil, ('region "%s" ends here but is not open'):format(name),
          number
      end
      old.last = number - 1
    end
  end
  for _, unit in ipairs(out) do
    if not unit.last then
      return nil, ('region "%s" is never closed'):format(unit.name),
        unit.first - 1
    end
  end
  return out
end

local known = {}
function M.units(path)
  if known[path] then return known[path] end
  local lines = M.read(path)
  if not lines then return nil, 'this file cannot be read', 1 end
  local out, why, where = marked(lines)
  if not out then return nil, why, where end
  if path:match('%.[ch]$') then
    local implicit = definitions(lines)
    table.move(implicit, 1, #implicit, #out + 1, out)
  end
  known[path] = out
  return out
end

-- The one unit of that name.
local function find(units, name)
  local best
  local function weight(unit)
    return unit.marked and 3 or unit.body and 2 or 1
  end
  for _, unit in ipairs(units) do
    if unit.name == name then
      if not best or weight(unit) > weight(best) then
        best = unit
      elseif weight(unit) == 2 and weight(best) == 2 then
        return nil, ('"%s" is defined twice, first on line %d; mark the ' ..
          'one that is meant'):format(name, best.first), unit.first
      end
    end
  end
  if not best then
    return nil, ('there is no region "%s" in this file'):format(name), 1
  end
  return best
end

-- The units that a list of names means, in the order of the file.
function M.find(path, names)
  local units, why, where = M.units(path)
  if not units then return nil, why, where end
  local out = {}
  for name in names:gmatch('%s*([^,]+)') do
    local unit, problem, line = find(units, (name:gsub('%s+$', '')))
    if not unit then return nil, problem, line end
    if out[#out] and unit.first <= out[#out].last then
      return nil, ('region "%s" stands before "%s" here; name them in the ' ..
        'order of the file'):format(unit.name, out[#out].name), unit.first
    end
    out[#out + 1] = unit
  end
  return out
end

----------------------------------------------------------------- the cutting

local function indent(line)
  return line:match('%S') and #line:match('^ *') or math.huge
end

-- Append lines FIRST to LAST of the file. Blank lines at its ends go.
local function take(lines, unit, out)
  local start = #out.text
  for number = unit.first, unit.last do
    if not marker(lines[number]) then
      local line, label = unlabel(lines[number])
      line = M.expand(line):gsub('%s+$', '')
      if line ~= '' or #out.text > start then
        out.text[#out.text + 1] = line
        out.rows[#out.text] = number
        out.margin = math.min(out.margin, indent(line))
      end
      if label and out.labels[label] then
        return ('line label "%s" is used twice'):format(label), number
      elseif label then
        out.labels[label] = #out.text
      end
    end
  end
  while #out.text > start and out.text[#out.text] == '' do
    out.rows[#out.text] = nil
    out.text[#out.text] = nil
  end
  if #out.text == start then
    return ('region "%s" is empty'):format(unit.name or 'whole file'),
      math.max(unit.marked and unit.first - 1 or unit.first, 1)
  end
end

function M.cut(path, names)
  local lines = M.read(path)
  if not lines then return nil, 'this file cannot be read', 1 end
  local units, why, where = { { first = 1, last = #lines } }, nil, nil
  if names then
    units, why, where = M.find(path, names)
    if not units then return nil, why, where end
  end
  local out = { text = {}, rows = {}, labels = {}, margin = math.huge }
  for i, unit in ipairs(units) do
    -- one line directly below another needs no space in between
    if i > 1 and unit.first ~= units[i - 1].last + 1 then
      out.text[#out.text + 1] = ''
      out.rows[#out.text] = 0
    end
    local problem, line = take(lines, unit, out)
    if problem then return nil, problem, line end
  end
  for i, line in ipairs(out.text) do
    out.text[i] = line:sub(out.margin + 1)
  end
  return { code = table.concat(out.text, '\n'), first = out.rows[1],
           labels = out.labels, rows = out.rows, units = units }
end

return M
