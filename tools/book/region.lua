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
-- cut(path, name) returns a table
--	code	the text without common indentation, tabs expanded to 8 columns
--	first	number of its first line in the file
--	labels	label -> line number within the listing
--	lines	how many lines it has
-- or nil, a sentence, and the line of the file that the sentence is about.

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

function M.read(path)
  local file = io.open(path, 'r')
  local text = file and file:read('a')
  if file then file:close() end
  if not text then return nil end
  local lines = {}
  for line in (text:gsub('\r', '') .. '\n'):gmatch('(.-)\n') do
    lines[#lines + 1] = line
  end
  if lines[#lines] == '' then lines[#lines] = nil end
  return lines
end

-- Where the region begins and ends, or why it does not.
local function bounds(lines, name)
  local first, last
  for number, line in ipairs(lines) do
    local kind, found = marker(line)
    if kind == 'region' and found == name then
      if first then
        return nil, ('region "%s" is opened twice, first on line %d')
          :format(name, first), number
      end
      first = number
    elseif kind == 'endregion' and found == name then
      if not first or last then
        return nil, ('region "%s" ends here but is not open'):format(name),
          number
      end
      last = number
    end
  end
  if not first then
    return nil, ('there is no region "%s" in this file'):format(name), 1
  end
  if not last then
    return nil, ('region "%s" is never closed'):format(name), first
  end
  return first, last
end

local function indent(line)
  return line:match('%S') and #line:match('^ *') or math.huge
end

function M.cut(path, name)
  local lines = M.read(path)
  if not lines then return nil, 'this file cannot be read', 1 end
  local first, last = 0, #lines + 1
  if name then
    local problem
    first, last, problem = bounds(lines, name)
    if not first then return nil, last, problem end
  end
  local out, labels, margin, start = {}, {}, math.huge, nil
  for number = first + 1, last - 1 do
    if not marker(lines[number]) then
      local line, label = unlabel(lines[number])
      line = M.expand(line):gsub('%s+$', '')
      if line ~= '' or #out > 0 then
        out[#out + 1] = line
        start = start or number
        margin = math.min(margin, indent(line))
      end
      if label and labels[label] then
        return nil, ('line label "%s" is used twice'):format(label), number
      elseif label then
        labels[label] = #out
      end
    end
  end
  while out[#out] == '' do out[#out] = nil end
  if #out == 0 then
    return nil, ('region "%s" is empty'):format(name or 'whole file'),
      math.max(first, 1)
  end
  for i, line in ipairs(out) do out[i] = line:sub(margin + 1) end
  return { code = table.concat(out, '\n'), first = start, labels = labels,
           lines = #out }
end

return M
