import { testStories } from "./told.ts";

testStories(2);
