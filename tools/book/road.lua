-- SPDX-License-Identifier: GPL-2.0
-- Roads through the book: what each chapter builds on, how long it takes, and
-- which chapters a reader with a purpose reads. book.lua gathers the answers of
-- the chapters (add), and this file holds them against the references that the
-- chapters really make (check), draws them (map) and checks the tracks (track).
local M = { chapters = {}, at = {} }

-- So many references back to one chapter, and it is needed. So many from exercises to a
-- later one, and the road says that they want it (later=).
M.TOO_MANY = 2

-- A chapter's road: id, label, word for the drawing, needs and later (ids), hours, file.
function M.add(road)
  M.chapters[#M.chapters + 1] = road
  M.at[road.id] = road
  road.place = #M.chapters
end

-- All that a chapter builds on, what that builds on included.
local function closure(id, into)
  for _, need in ipairs((M.at[id] or { needs = {} }).needs) do
    if not into[need] then
      into[need] = true
      closure(need, into)
    end
  end
  return into
end

local function is_redundant(road, need)
  for _, other in ipairs(road.needs) do
    if other ~= need and closure(other, {})[need] then return other end
  end
end

local function check_needs(road, complain)
  for _, need in ipairs(road.needs) do
    local other = M.at[need]
    if not other then
      complain(road.file, 'needs="%s": there is no such chapter with a road', need)
    elseif other.place >= road.place then
      complain(road.file, 'needs="%s": it comes later in the book', need)
    elseif is_redundant(road, need) then
      complain(road.file, 'needs="%s" goes without saying: "%s" needs it', need,
               is_redundant(road, need))
    end
  end
end

-- @asked: how often exercises refer to each chapter.
local function check_later(road, asked, complain)
  local named = {}
  for _, id in ipairs(road.later) do
    local other = M.at[id]
    named[id] = true
    if not other then
      complain(road.file, 'later="%s": there is no such chapter with a road', id)
    elseif other.place <= road.place then
      complain(road.file, 'later="%s": it comes earlier in the book', id)
    elseif not asked[id] then
      complain(road.file, 'later="%s": no exercise refers to it', id)
    end
  end
  for id, times in pairs(asked) do
    local other = M.at[id]
    if other and other.place > road.place and times >= M.TOO_MANY and not named[id] then
      complain(road.file, 'exercises refer to "%s" %d times, which comes later: later="%s"',
               id, times, id)
    end
  end
end

-- @made: how often the chapter of one id refers to that of another; @asked: the same of
-- exercises alone.
function M.check(made, asked, complain)
  for _, road in ipairs(M.chapters) do
    check_needs(road, complain)
    check_later(road, asked[road.id] or {}, complain)
    local known = closure(road.id, {})
    for id, times in pairs(made[road.id] or {}) do
      local other = M.at[id]
      if other and other.place < road.place and times >= M.TOO_MANY and
        not known[id] then
        complain(road.file, 'refers to "%s" %d times and does not need it, says its road',
                 id, times)
      end
    end
  end
end

-- For dot. What is unknown, check() complains of.
function M.map()
  local lines = { 'digraph {', '  rankdir=TB; nodesep=0.18; ranksep=0.28;',
    '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=12,' ..
    ' height=0.3, margin="0.08,0.04"];', '  edge [arrowsize=0.6];' }
  for i, road in ipairs(M.chapters) do
    lines[#lines + 1] = ('  c%d [label="%s"];'):format(i, road.word)
    for _, need in ipairs(road.needs) do
      local other = M.at[need]
      if other then
        lines[#lines + 1] = ('  c%d -> c%d;'):format(other.place, i)
      end
    end
    for _, id in ipairs(road.later) do
      if M.at[id] then
        lines[#lines + 1] = ('  c%d -> c%d [style=dashed, constraint=false];')
          :format(M.at[id].place, i)
      end
    end
  end
  lines[#lines + 1] = '}'
  return table.concat(lines, '\n')
end

-- The same in words, for those who cannot see it.
function M.map_in_words()
  local said = {}
  local function names(ids)
    local out = {}
    for _, id in ipairs(ids) do out[#out + 1] = M.at[id] and M.at[id].label or id end
    return table.concat(out, ' and ')
  end
  for _, road in ipairs(M.chapters) do
    said[#said + 1] = road.label .. ' builds on ' ..
      (#road.needs == 0 and 'no other' or names(road.needs)) .. (#road.later == 0 and '.' or
      ', and its exercises lead on to ' .. names(road.later) .. '.')
  end
  return table.concat(said, ' ')
end

-- A track reads some chapters and skims some; what they need must be among them.
-- Returns the hours of those that are read.
function M.track(read, skim, complain)
  local on, hours = {}, 0
  for _, id in ipairs(read) do on[id] = true end
  for _, id in ipairs(skim) do on[id] = true end
  for _, id in ipairs(read) do
    local road = M.at[id]
    if not road then
      complain('a track reads "%s", which has no road', id)
    else
      hours = hours + road.hours
      for need in pairs(closure(id, {})) do
        if not on[need] then
          complain('a track reads "%s", which builds on "%s", and neither reads nor skims that',
                   id, need)
        end
      end
    end
  end
  return hours
end

return M
